// SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only
//
// The XDP program of a gateway interface: hands each frame to the worker that serves its queue.
//
//   frame -> xsks[queue] has a socket?  yes -> redirect to it (all traffic: the worker judges),
//                                              but openers over limits[queue] are shed
//                                       no  -> peers[0] has an interface?  yes -> bridge  (fail open)
//                                                                          no  -> drop    (fail closed)
//
// The maps are the state, so the program needs no variable: a queue is served while its socket is
// open (the kernel takes a closed socket out of the map), and the fail mode is whether `peers`
// holds the other interface. Both hold on when the process that loaded it is killed.
//
// A receive ring is first in, first out: a flood that overflows it takes running flows with it. So
// while a queue's ring overflows, user space limits the openers of TCP connections (SYN without ACK)
// that it may bring in a millisecond. Without a limit no header is read.
//
// Fragments of one packet over several buffers are not handled, so there is no `xdp.frags` section:
// the kernel then refuses an MTU that would need them.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// One AF_XDP socket a receive queue. The loader sets the size to the interface's queues.
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

// The other interface, when the gateway fails open.
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} peers SEC(".maps");

enum fate { DROPPED, BRIDGED, FATES };

// Frames that no worker took, by fate, for each CPU.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FATES);
	__type(key, __u32);
	__type(value, __u64);
} unserved SEC(".maps");

// Openers that each queue may bring in a millisecond; 0: no limit. As many as `xsks` has.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} limits SEC(".maps");

struct valve {
	__u64 ms; // of the clock, which `passed` belongs to
	__u64 passed;
	__u64 shed; // since the program was loaded
};

// How each queue stands; one CPU at a time serves a queue.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct valve);
} valves SEC(".maps");

#define SYN 0x02
#define ACK 0x10
#define NOT_FIRST 0x1fff

static __always_inline __u16 word(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

// Whether a frame opens a TCP connection. What hides its TCP header behind three tags or extension
// headers does not count: it only shares the ring as everything else does.
static __always_inline int opens(struct xdp_md *ctx)
{
	__u8 *end = (__u8 *)(long)ctx->data_end, *at = (__u8 *)(long)ctx->data + 12;
	__u16 type;

	if (at + 2 > end)
		return 0;
	type = word(at);
#pragma unroll
	for (int tags = 0; tags < 2; tags++) {
		if (type != ETH_P_8021Q && type != ETH_P_8021AD)
			break;
		at += 4;
		if (at + 2 > end)
			return 0;
		type = word(at);
	}
	at += 2;
	if (type == ETH_P_IP) {
		if (at + 20 > end || at[9] != IPPROTO_TCP || word(at + 6) & NOT_FIRST)
			return 0;
		at += (at[0] & 15) * 4;
	} else if (type == ETH_P_IPV6) {
		if (at + 40 > end || at[6] != IPPROTO_TCP)
			return 0;
		at += 40;
	} else {
		return 0;
	}
	return at + 14 <= end && (at[13] & (SYN | ACK)) == SYN;
}

static __always_inline int shed(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index, *limit = bpf_map_lookup_elem(&limits, &queue);
	struct valve *valve;
	__u64 ms;

	if (!limit || !*limit || !opens(ctx))
		return 0;
	valve = bpf_map_lookup_elem(&valves, &queue);
	if (!valve)
		return 0;
	ms = bpf_ktime_get_ns() / 1000000;
	if (valve->ms != ms) {
		valve->ms = ms;
		valve->passed = 0;
	}
	if (valve->passed < *limit) {
		valve->passed++;
		return 0;
	}
	valve->shed++;
	return 1;
}

static void count(__u32 fate)
{
	__u64 *frames = bpf_map_lookup_elem(&unserved, &fate);

	if (frames)
		*frames += 1;
}

SEC("xdp")
int palisade_xdp(struct xdp_md *ctx)
{
	// The helper answers the third argument when the map has no entry.
	int action = bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_DROP);

	if (action == XDP_REDIRECT)
		return shed(ctx) ? XDP_DROP : action;
	action = bpf_redirect_map(&peers, 0, XDP_DROP);
	count(action == XDP_REDIRECT ? BRIDGED : DROPPED);
	return action;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
