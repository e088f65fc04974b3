// SPDX-License-Identifier: MIT OR Apache-2.0
/* The sink: counts the generator's frames by class, then drops them; all else goes to the stack. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "marker.h"

struct count {
	__u64 packets;
	__u64 bytes;
	__u64 reordered; /* came after a later one of the same flow */
	__u64 first_ns;
	__u64 last_ns;
	__u64 delay_ns; /* sum */
	__u64 unused[2];
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

static __always_inline struct marker *find(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	struct marker *marker = (struct marker *)(data + HEADER_V4);

	if ((__u8 *)(marker + 1) > end)
		return 0;
	if (((struct ethhdr *)data)->h_proto == bpf_htons(ETH_P_IPV6)) {
		marker = (struct marker *)(data + HEADER_V6);
		if ((__u8 *)(marker + 1) > end)
			return 0;
	}
	return marker->magic == MARKER_MAGIC ? marker : 0;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	struct marker *marker = find(ctx);
	__u32 class, flow, *last;
	struct count *count;
	__u64 now;

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
	last = bpf_map_lookup_elem(&reached, &flow);
	if (last) {
		if ((__s32)(marker->sequence + 1 - *last) < 0)
			count->reordered++;
		else
			*last = marker->sequence + 1;
	}
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
