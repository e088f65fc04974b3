// SPDX-License-Identifier: MIT OR Apache-2.0
/* The least that an XDP program can do to forward: everything to the other interface, unread. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} other SEC(".maps");

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&other, 0, XDP_DROP);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
