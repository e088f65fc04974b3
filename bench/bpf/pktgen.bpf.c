// SPDX-License-Identifier: MIT OR Apache-2.0
/* The packet generator: rewrites each live frame from a table of flows and sends it out.
 *
 * The kernel repeats one frame through this program (BPF_PROG_TEST_RUN, live frames). Its pages come
 * back with what the last user left in them, so the whole header is written each time.
 *
 * A run is paced and ended here: a frame that is not due yet, or that is over the count or past the
 * deadline, is dropped, which gives its page back and sends nothing. A paced frame carries the time
 * at which it was due, not that at which it went out, so that a stall of the generator counts as
 * latency instead of hiding it.
 *
 * A fresh frame opens a flow that was not there before: the source port of an entry, changed by a
 * number that grows each time the table was gone through.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "marker.h"

#define HEADER_WORDS 10
#define NS_PER_S 1000000000ULL
#define GAP_BITS 20	  /* a gap is in 2^-20 ns */
#define EVERY_FRAME 65536 /* all frames are fresh */
#define EPOCHS 1023	  /* keeps ports of 1024 and more there */

/* A flow: its header as it goes on the wire, padded with zeros, and what is added to it. */
struct flow {
	__u64 header[HEADER_WORDS];
	__u16 header_bytes; /* one of marker.h */
	__u16 frame_bytes;
	__u32 checksum; /* of the datagram or segment without the marker; 0: none */
	__u32 tag;	/* class and index, as the marker has them */
	__u32 sequence; /* of its next frame */
};

struct order {
	__u32 ifindex; /* where frames leave */
	__u32 flows;   /* entries of the table in use */
	__u64 count;   /* frames to send; 0: no bound */
	__u64 length_ns;
	__u64 gap;	   /* between two frames; 0: as fast as the core can */
	__u64 fresh_pps;   /* fresh frames a second; 0: by share */
	__u64 fresh_share; /* of EVERY_FRAME */
};

struct progress {
	__u64 sent;
	__u64 bytes;
	__u64 next;	   /* entry of the table */
	__u64 start_ns;	   /* when the first frame ran */
	__u64 last_ns;	   /* when the last one was sent */
	__u64 over;	   /* the order is carried out */
	__u64 fresh;	   /* fresh frames among the sent */
	__u64 fresh_part;  /* share that has not made a whole frame yet */
	__u64 fresh_next;  /* entry of the table */
	__u64 fresh_epoch; /* times that the table was gone through */
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

/* Frames sent of each class. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLASSES);
	__type(key, __u32);
	__type(value, __u64);
} offered SEC(".maps");

/* When the next frame should go out, from the start; ten minutes stay far below 2^64. */
static __always_inline __u64 intended(const struct order *order, const struct progress *done)
{
	return done->sent * order->gap >> GAP_BITS;
}

static __always_inline int due(const struct order *order, struct progress *done, __u64 age)
{
	if (age >= order->length_ns || (order->count && done->sent >= order->count)) {
		done->over = 1;
		return 0;
	}
	return !order->gap || intended(order, done) <= age;
}

static __always_inline int fresh(const struct order *order, struct progress *done, __u64 age)
{
	if (order->fresh_pps)
		return done->fresh * NS_PER_S <= age * order->fresh_pps;
	done->fresh_part += order->fresh_share;
	if (done->fresh_part < EVERY_FRAME)
		return 0;
	done->fresh_part -= EVERY_FRAME;
	return 1;
}

/* The place after this one in the table. */
static __always_inline __u64 after(const struct order *order, __u64 place)
{
	return place + 1 < order->flows ? place + 1 : 0;
}

/* One's complement sum of the marker, and of what the source port grew by, added to the checksum
 * without them (RFC 1624). */
static __always_inline __u16 sum(__u32 checksum, __u32 grown, const struct marker *marker)
{
	__u64 total = (__u16)~checksum;

	total += grown + (__u64)marker->magic + marker->flow + marker->sequence + marker->sent_ns;
	total = (total & 0xffffffff) + (total >> 32);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	total = (total & 0xffff) + (total >> 16);
	total = (__u16)~total;
	return total ? total : 0xffff; /* 0 would mean "no checksum" (RFC 768) */
}

/* Writes header and marker; `back` bytes before the marker stands the checksum. Inlined for each
 * length of header, so that the verifier sees constants. The last words may reach into the marker,
 * which comes after them. */
static __always_inline int write(struct xdp_md *ctx, const struct flow *flow, __u32 sequence,
				 __u32 now, __u16 epoch, int bytes, int ports, int back)
{
	__u8 *data = (__u8 *)(long)ctx->data;
	struct marker *marker = (struct marker *)(data + bytes);
	__u16 *port = (__u16 *)(data + ports), before;

	if ((__u8 *)(marker + 1) > (__u8 *)(long)ctx->data_end)
		return -1;
#pragma unroll
	for (int word = 0; word < (bytes + 7) / 8; word++)
		((__u64 *)data)[word] = flow->header[word];
	before = *port;
	*port = before ^ bpf_htons(epoch);
	marker->magic = MARKER_MAGIC;
	marker->flow = flow->tag;
	marker->sequence = sequence;
	marker->sent_ns = now;
	if (flow->checksum)
		*(__u16 *)((__u8 *)marker - back) =
			sum(flow->checksum, *port + (__u16)~before, marker);
	return 0;
}

static __always_inline int fill(struct xdp_md *ctx, const struct flow *flow, __u32 sequence,
				__u32 now, __u16 epoch)
{
	switch (flow->header_bytes) {
	case UDP_V4:
		return write(ctx, flow, sequence, now, epoch, UDP_V4, PORTS_V4, 2);
	case UDP_V6:
		return write(ctx, flow, sequence, now, epoch, UDP_V6, PORTS_V6, 2);
	case TCP_V4:
		return write(ctx, flow, sequence, now, epoch, TCP_V4, PORTS_V4, 4);
	case TCP_V6:
		return write(ctx, flow, sequence, now, epoch, TCP_V6, PORTS_V6, 4);
	}
	return -1;
}

SEC("xdp")
int pktgen(struct xdp_md *ctx)
{
	__u32 zero = 0, index, class;
	struct order *order = bpf_map_lookup_elem(&orders, &zero);
	struct progress *done = bpf_map_lookup_elem(&progress, &zero);
	struct flow *flow;
	__u64 now = bpf_ktime_get_ns(), age, *sent;
	__u16 epoch = 0;
	int surplus;

	if (!order || !done)
		return XDP_ABORTED;
	if (!done->start_ns)
		done->start_ns = now;
	age = now - done->start_ns;
	if (!due(order, done, age))
		return XDP_DROP;
	if (fresh(order, done, age)) {
		index = done->fresh_next;
		/* Never 0, which is the flow of the entry itself. */
		epoch = done->fresh_epoch % EPOCHS + 1;
		done->fresh_next = after(order, index);
		if (!done->fresh_next)
			done->fresh_epoch++;
		done->fresh++;
	} else {
		index = done->next;
		done->next = after(order, index);
	}
	flow = bpf_map_lookup_elem(&flows, &index);
	if (!flow)
		return XDP_ABORTED;

	surplus = (int)flow->frame_bytes - (int)(ctx->data_end - ctx->data);
	if (surplus && bpf_xdp_adjust_tail(ctx, surplus))
		return XDP_ABORTED;
	if (fill(ctx, flow, flow->sequence,
		 order->gap ? done->start_ns + intended(order, done) : now, epoch))
		return XDP_ABORTED;
	flow->sequence++;
	class = flow->tag >> FLOW_BITS;
	sent = bpf_map_lookup_elem(&offered, &class);
	if (sent)
		++*sent;
	done->sent++;
	done->last_ns = now;
	done->bytes += flow->frame_bytes;
	return bpf_redirect(order->ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
