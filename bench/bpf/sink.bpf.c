// SPDX-License-Identifier: MIT OR Apache-2.0
/* The sink: counts the generator's frames by class, then drops them; all else goes to the stack.
 *
 * Latencies go into a histogram of constant relative width: 32 buckets for each power of two, so a
 * bucket is at most a thirty-second wide.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "marker.h"

/* Where the two families name the transport protocol. */
#define PROTOCOL 23
#define NEXT_HEADER 20

#define PART_BITS 5 /* buckets of a power of two, as a power of two */
#define BUCKETS ((33 - PART_BITS) << PART_BITS)

struct count {
	__u64 packets;
	__u64 bytes;
	__u64 reordered; /* came after a later one of the same flow */
	__u64 first_ns;
	__u64 last_ns;
	__u64 delay_ns; /* sum */
	__u64 gaps;	/* sequence numbers that a later one of the flow left out */
	__u64 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CLASSES);
	__type(key, __u32);
	__type(value, struct count);
} counts SEC(".maps");

/* The sequence that each flow has reached, plus one; the loader sets the number of flows watched. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} reached SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BUCKETS);
	__type(key, __u32);
	__type(value, __u64);
} delays SEC(".maps");

/* The place of the highest bit that is set. */
static __always_inline __u32 magnitude(__u32 value)
{
	__u32 bits = 0;

#pragma unroll
	for (int half = 16; half; half >>= 1) {
		if (value >> half) {
			value >>= half;
			bits += half;
		}
	}
	return bits;
}

static __always_inline void delay(__u32 delay_ns)
{
	__u32 bucket = delay_ns, bits;
	__u64 *frames;

	if (delay_ns >> PART_BITS) {
		bits = magnitude(delay_ns) - PART_BITS;
		bucket = (bits << PART_BITS) + (delay_ns >> bits);
	}
	frames = bpf_map_lookup_elem(&delays, &bucket);
	if (frames)
		++*frames;
}

static __always_inline struct marker *at(struct xdp_md *ctx, int bytes)
{
	struct marker *marker = (struct marker *)((__u8 *)(long)ctx->data + bytes);

	if ((__u8 *)(marker + 1) > (__u8 *)(long)ctx->data_end)
		return 0;
	return marker->magic == MARKER_MAGIC ? marker : 0;
}

static __always_inline struct marker *find(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;

	if (data + UDP_V4 > end)
		return 0;
	if (((struct ethhdr *)data)->h_proto == bpf_htons(ETH_P_IPV6))
		return data[NEXT_HEADER] == IPPROTO_TCP ? at(ctx, TCP_V6) : at(ctx, UDP_V6);
	return data[PROTOCOL] == IPPROTO_TCP ? at(ctx, TCP_V4) : at(ctx, UDP_V4);
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	struct marker *marker = find(ctx);
	__u32 class, flow, *last;
	struct count *count;
	__u64 now;
	__s32 ahead;

	if (!marker)
		return XDP_PASS;
	class = marker->flow >> FLOW_BITS;
	flow = marker->flow & FLOW_MASK;
	count = bpf_map_lookup_elem(&counts, &class);
	if (!count)
		return XDP_DROP;
	now = bpf_ktime_get_ns();
	if (!count->packets)
		count->first_ns = now;
	count->last_ns = now;
	count->packets++;
	count->bytes += ctx->data_end - ctx->data;
	count->delay_ns += (__u32)now - marker->sent_ns;
	delay((__u32)now - marker->sent_ns);
	last = bpf_map_lookup_elem(&reached, &flow);
	if (last) {
		ahead = marker->sequence - *last;
		if (ahead < 0) {
			count->reordered++;
		} else {
			/* What was before the first that came is no gap: the sink may come later. */
			if (*last)
				count->gaps += ahead;
			*last = marker->sequence + 1;
		}
	}
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
