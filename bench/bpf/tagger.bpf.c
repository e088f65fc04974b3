// SPDX-License-Identifier: MIT OR Apache-2.0
/* Hosts on a VLAN without a vlan device: tags what leaves, untags what comes.
 *
 * The tag goes beside the frame, as a vlan device puts it; a veth whose tx-vlan-offload is off has it
 * written into the frame. What comes with other tags than those expected is left alone, so the stack
 * does not take it for its own.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

/* In host byte order, the innermost first; an ethertype of 0: no tag. */
struct tag {
	__u16 ethertype;
	__u16 control;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, struct tag);
} tags SEC(".maps");

static __always_inline struct tag *tag(__u32 place)
{
	struct tag *tag = bpf_map_lookup_elem(&tags, &place);

	return tag && tag->ethertype ? tag : 0;
}

static __always_inline int push(struct __sk_buff *skb, __u32 place)
{
	struct tag *found = tag(place);

	return found ? bpf_skb_vlan_push(skb, bpf_htons(found->ethertype), found->control) : 0;
}

SEC("classifier/tag_out")
int tag_out(struct __sk_buff *skb)
{
	return push(skb, 0) || push(skb, 1) || push(skb, 2) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* The stack has moved the outer tag beside the frame by now. */
static __always_inline int pop(struct __sk_buff *skb, __u32 place)
{
	struct tag *found = tag(place);

	if (!found)
		return 0;
	if (!skb->vlan_present || (skb->vlan_tci & 0xfff) != (found->control & 0xfff))
		return -1;
	return bpf_skb_vlan_pop(skb);
}

SEC("classifier/tag_in")
int tag_in(struct __sk_buff *skb)
{
	pop(skb, 2) || pop(skb, 1) || pop(skb, 0);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
