// SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only
//
// The XDP program of a gateway interface: hands each frame to the worker that serves its queue.
//
//   frame -> xsks[queue] has a socket?  yes -> redirect to it (all traffic: the worker judges)
//                                       no  -> peers[0] has an interface?  yes -> bridge  (fail open)
//                                                                          no  -> drop    (fail closed)
//
// The maps are the state, so the program needs no variable: a queue is served while its socket is
// open (the kernel takes a closed socket out of the map), and the fail mode is whether `peers`
// holds the other interface. Both hold on when the process that loaded it is killed.
//
// Fragments of one packet over several buffers are not handled, so there is no `xdp.frags` section:
// the kernel then refuses an MTU that would need them.

#include <linux/bpf.h>
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
		return action;
	action = bpf_redirect_map(&peers, 0, XDP_DROP);
	count(action == XDP_REDIRECT ? BRIDGED : DROPPED);
	return action;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
