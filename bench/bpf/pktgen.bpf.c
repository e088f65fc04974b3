// SPDX-License-Identifier: MIT OR Apache-2.0
/* The packet generator: rewrites each live frame from a table of flows and sends it out.
 *
 * The kernel repeats one frame through this program (BPF_PROG_TEST_RUN, live frames). Its pages come
 * back with what the last user left in them, so the whole header is written each time.
 *
 * A run is paced and ended here: a frame that is not due yet, or that is over the count or past the
 * deadline, is dropped, which gives its page back and sends nothing.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include "marker.h"

#define HEADER_WORDS 8
#define NS_PER_S 1000000000ULL

/* A flow: its header as it goes on the wire, padded with zeros, and what is added to it. */
struct flow {
	__u64 header[HEADER_WORDS];
	__u16 header_bytes; /* HEADER_V4 or HEADER_V6 */
	__u16 frame_bytes;
	__u32 checksum; /* of the UDP datagram without the marker; 0: none */
	__u32 tag;	/* class and index, as the marker has them */
	__u32 unused;
};

struct order {
	__u32 ifindex; /* where frames leave */
	__u32 flows;   /* entries of the table in use */
	__u64 count;   /* frames to send; 0: no bound */
	__u64 length_ns;
	__u64 rate_pps; /* 0: as fast as the core can */
};

struct progress {
	__u64 sent;
	__u64 bytes;
	__u64 next;	/* entry of the table */
	__u64 start_ns; /* when the first frame ran */
	__u64 last_ns;	/* when the last one was sent */
	__u64 over;	/* the order is carried out */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct order);
} orders SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct progress);
} progress SEC(".maps");

static __always_inline int due(const struct order *order, struct progress *done, __u64 now)
{
	__u64 age = now - done->start_ns;

	if (age >= order->length_ns || (order->count && done->sent >= order->count)) {
		done->over = 1;
		return 0;
	}
	/* Ten minutes at ten million a second stay far below 2^64. */
	return !order->rate_pps || done->sent * NS_PER_S <= age * order->rate_pps;
}

/* One's complement sum of the marker added to the datagram's checksum (RFC 1624). */
static __always_inline __u16 sum(__u32 checksum, const struct marker *marker)
{
	__u64 total = (__u16)~checksum;

	total += (__u64)marker->magic + marker->flow + marker->sequence + marker->sent_ns;
	total = (total & 0xffffffff) + (total >> 32);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	total = (__u16)~total;
	return total ? total : 0xffff; /* 0 would mean "no checksum" (RFC 768) */
}

SEC("xdp")
int pktgen(struct xdp_md *ctx)
{
	__u32 zero = 0, index;
	struct order *order = bpf_map_lookup_elem(&orders, &zero);
	struct progress *done = bpf_map_lookup_elem(&progress, &zero);
	struct flow *flow;
	struct marker *marker;
	__u64 now = bpf_ktime_get_ns();
	__u8 *data;
	int surplus;

	if (!order || !done)
		return XDP_ABORTED;
	if (!done->start_ns)
		done->start_ns = now;
	if (!due(order, done, now))
		return XDP_DROP;
	index = done->next;
	flow = bpf_map_lookup_elem(&flows, &index);
	if (!flow)
		return XDP_ABORTED;
	done->next = index + 1 < order->flows ? index + 1 : 0;

	surplus = (int)flow->frame_bytes - (int)(ctx->data_end - ctx->data);
	if (surplus && bpf_xdp_adjust_tail(ctx, surplus))
		return XDP_ABORTED;
	data = (__u8 *)(long)ctx->data;
	if (data + HEADER_V4 + sizeof(*marker) > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
#pragma unroll
	for (int word = 0; word < 6; word++)
		((__u64 *)data)[word] = flow->header[word];
	if (flow->header_bytes == HEADER_V4) {
		marker = (struct marker *)(data + HEADER_V4);
	} else {
		if (data + HEADER_V6 + sizeof(*marker) > (__u8 *)(long)ctx->data_end)
			return XDP_ABORTED;
		((__u64 *)data)[6] = flow->header[6];
		((__u64 *)data)[7] = flow->header[7];
		marker = (struct marker *)(data + HEADER_V6);
	}
	marker->magic = MARKER_MAGIC;
	marker->flow = flow->tag;
	marker->sequence = done->sent;
	marker->sent_ns = now;
	if (flow->checksum)
		*(__u16 *)((__u8 *)marker - 2) = sum(flow->checksum, marker);
	done->sent++;
	done->last_ns = now;
	done->bytes += flow->frame_bytes;
	return bpf_redirect(order->ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
