// SPDX-License-Identifier: (MIT OR Apache-2.0) OR GPL-2.0-only
//
// The XDP program of a gateway interface: hands each frame to the worker that serves its queue.
//
//   frame -> xsks[queue] has a socket?  yes -> its flow has a lease?  yes -> forward it to across[0]
//                                       |                             no  -> redirect to the socket: the
//                                       |                                    worker judges; but openers
//                                       |                                    over limits[queue] are shed
//                                       no  -> peers[0] has an interface?  yes -> bridge  (fail open)
//                                                                          no  -> drop    (fail closed)
//   run by a worker (BPF_PROG_RUN) -> the next frame of many that it lets pass -> across[0]
//
// The maps are the state, so the program needs no variable: a queue is served while its socket is
// open (the kernel takes a closed socket out of the map), and the fail mode is whether `peers`
// holds the other interface. Both hold on when the process that loaded it is killed.
//
// A lease lets the packets of one flow in one direction through for some seconds, if they are plain:
// nothing that changes the state of a connection, nothing malformed, no fragment, no extension header.
// Only the worker of the queue writes leases, over shared memory; it alone decides. What the program
// takes for plain is a part of what the worker would forward on a hit, and everything else goes to it.
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

// The other interface, for flows that have a lease and for what the worker hands back.
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} across SEC(".maps");

// What the worker of a queue says of all its leases. All words that it shares with this program are of
// 64 bits, written and read whole.
struct lane {
	__u64 takes;	// what the other interface takes: frames of so many CPUs, from 0 on (none: leases do not
			// count), and above it the bytes of the longest one
	__u64 revision; // of the ruleset in force: leases of another one do not count. 0: there are none
	__u64 mask;	// of a hash, to the first of the two places of a key
	__u64 secret[5];
};

// One a queue that may lease; the loader sets the number.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct lane);
} lanes SEC(".maps");

struct lease {
	__u64 term; // revision, and above it the tick after which it is over
	__u64 key[5];
	__u64 used;    // packets let through, and above them the tick of the last one; written here only
	__u64 mark;    // the row of `let_through`, and above it how often the worker wrote here
};

// `mask + 2` places a lane.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct lease);
} leases SEC(".maps");

// A byte of the hash for each place, 0 where there is no lease, eight in a word from its lowest byte on: so
// a packet without a lease, as those of a flood, reads what is in the cache.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} tags SEC(".maps");

#define ROWS 512

// Packets let through by row, which stands for a domain: ROWS a lane.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ROWS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} let_through SEC(".maps");

#define BATCH 128

// A judged frame that goes to the other interface.
struct outgoing {
	__u64 bytes;
	__u8 frame[2040];
};

// BATCH a lane; the worker writes them before it runs the program once for each.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BATCH);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct outgoing);
} outgoing SEC(".maps");

// How many of them the program has taken in this run, for each lane; the worker begins with 0.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} taken SEC(".maps");

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

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define NOT_FIRST 0x1fff
#define FRAGMENT 0x3fff

#define LOOPBACK 1  // its index, in every network namespace (`LOOPBACK_IFINDEX`)
#define METADATA 4  // bytes in front of a frame that a worker runs the program with
#define SHORTEST 14 // bytes of such a frame, if it is the worker of queue 0
#define TICK_BITS 20      // a tick is 2^20 ns
#define LONGEST_TERM 4096 // ticks; what has more to go was over long ago, and the clock went round
#define ABOVE 32          // bits of what stands below a tick

static __always_inline __u16 word(const __u8 *at)
{
	return at[0] << 8 | at[1];
}

// What stands behind the link header and at most two tags.
struct link {
	__u8 *at; // its first byte, not checked; 0 when the frame ends before
	__u16 type;
	__u16 vlan; // the first tag's id that is not 0
};

static __always_inline struct link behind_tags(struct xdp_md *ctx)
{
	__u8 *end = (__u8 *)(long)ctx->data_end, *at = (__u8 *)(long)ctx->data + 12;
	struct link link = { 0, 0, 0 };

	if (at + 2 > end)
		return link;
	link.type = word(at);
#pragma unroll
	for (int tags = 0; tags < 2; tags++) {
		if (link.type != ETH_P_8021Q && link.type != ETH_P_8021AD)
			break;
		if (at + 6 > end)
			return link;
		if (!link.vlan)
			link.vlan = word(at + 2) & 0xfff;
		at += 4;
		link.type = word(at);
	}
	link.at = at + 2;
	return link;
}

// Whether a frame opens a TCP connection. What hides its TCP header behind three tags or extension
// headers does not count: it only shares the ring as everything else does.
static __always_inline int opens(struct xdp_md *ctx)
{
	__u8 *end = (__u8 *)(long)ctx->data_end, *at;
	struct link link = behind_tags(ctx);

	at = link.at;
	if (!at)
		return 0;
	if (link.type == ETH_P_IP) {
		if (at + 20 > end || at[9] != IPPROTO_TCP || word(at + 6) & NOT_FIRST)
			return 0;
		at += (at[0] & 15) * 4;
	} else if (link.type == ETH_P_IPV6) {
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

// The ones' complement sum over a header of 20 bytes is all ones (RFC 1071).
static __always_inline int whole(const __u8 *header)
{
	const __u32 *at = (const __u32 *)header;
	__u64 sum = (__u64)at[0] + at[1] + at[2] + at[3] + at[4];

	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum == 0xffff;
}

// The key of a plain packet: both ends as they stand in it, its first VLAN and its protocol. 0 if it is
// none. As strict as the worker's parser, whose tests hold the two against each other.
static __always_inline int plain(struct xdp_md *ctx, __u64 key[5])
{
	__u8 *end = (__u8 *)(long)ctx->data_end, *at;
	struct link link = behind_tags(ctx);
	__u64 vlan = link.vlan, family, proto;
	__u32 bytes;

	at = link.at;
	if (!at)
		return 0;
	if (link.type == ETH_P_IP) {
		if (at + 20 > end || at[0] != 0x45 || word(at + 6) & FRAGMENT || !whole(at))
			return 0;
		bytes = word(at + 2);
		if (bytes < 20 || bytes > end - at)
			return 0;
		bytes -= 20;
		family = 4;
		proto = at[9];
		key[0] = *(__u32 *)(at + 12) | (__u64)*(__u32 *)(at + 16) << 32;
		key[1] = key[2] = key[3] = 0;
		at += 20;
	} else if (link.type == ETH_P_IPV6) {
		if (at + 40 > end || at[0] >> 4 != 6)
			return 0;
		bytes = word(at + 4);
		if (bytes > end - at - 40)
			return 0;
		family = 6;
		proto = at[6];
#pragma unroll
		for (int i = 0; i < 4; i++)
			key[i] = *(__u32 *)(at + 8 + 8 * i) | (__u64)*(__u32 *)(at + 12 + 8 * i) << 32;
		at += 40;
	} else {
		return 0;
	}
	if (proto == IPPROTO_TCP) {
		if (at + 20 > end || at[12] >> 4 < 5 || (at[12] >> 4) * 4 > bytes)
			return 0;
		if (at[13] & (FIN | SYN | RST))
			return 0;
	} else if (proto == IPPROTO_UDP) {
		if (at + 8 > end || bytes < 8 || word(at + 4) < 8 || word(at + 4) > bytes)
			return 0;
	} else {
		return 0;
	}
	key[4] = *(__u32 *)at | vlan << 32 | proto << 48 | family << 56;
	return 1;
}

// Words that the worker may write meanwhile: read as they stand there, in this order. On x86 the
// processor keeps it too, so leases are given on that alone.
#define READ(from) (*(volatile __u64 *)&(from))

// Multiplications by odd secrets, so that nobody outside can aim at a place. It chooses a place only: the
// whole key is compared there.
static __always_inline __u64 hash(struct lane *lane, const __u64 key[5])
{
	__u64 hash = (key[4] ^ key[0]) * READ(lane->secret[0]);

	hash = (hash ^ hash >> 32 ^ key[0]) * READ(lane->secret[1]);
	if (key[4] >> 56 == 6) {
		hash = (hash ^ hash >> 32 ^ key[1]) * READ(lane->secret[2]);
		hash = (hash ^ hash >> 32 ^ key[2]) * READ(lane->secret[3]);
		hash = (hash ^ hash >> 32 ^ key[3]) * READ(lane->secret[4]);
	}
	return hash;
}

static __always_inline int same(struct lease *lease, const __u64 key[5])
{
	return READ(lease->key[4]) == key[4] && READ(lease->key[0]) == key[0] &&
	       READ(lease->key[1]) == key[1] && READ(lease->key[2]) == key[2] &&
	       READ(lease->key[3]) == key[3];
}

// By what a packet may pass: a lease, the time, where it is counted.
struct pass {
	struct lease *lease;
	__u32 tick, row;
};

static __always_inline int leased(struct xdp_md *ctx, struct pass *pass)
{
	__u32 queue = ctx->rx_queue_index, place, group;
	struct lane *lane = bpf_map_lookup_elem(&lanes, &queue);
	__u64 key[5], takes, revision, mask, term, mark, mixed, *both;
	struct lease *lease;
	__u8 tag;

	if (!lane)
		return 0;
	takes = READ(lane->takes);
	revision = READ(lane->revision);
	if (bpf_get_smp_processor_id() >= (__u32)takes || !revision || !plain(ctx, key))
		return 0;
	if (ctx->data_end - ctx->data > takes >> ABOVE)
		return 0;
	mixed = hash(lane, key);
	mask = READ(lane->mask);
	tag = mixed >> 24;
	if (!tag)
		tag = 1;
	place = queue * (mask + 2) + (mixed >> 32 & mask);
	group = place / 8;
	both = bpf_map_lookup_elem(&tags, &group);
	if (!both)
		return 0;
	mixed = READ(*both) >> place % 8 * 8;
#pragma unroll
	for (int way = 0; way < 2; way++, place++, mixed >>= 8) {
		if ((__u8)mixed != tag)
			continue;
		lease = bpf_map_lookup_elem(&leases, &place);
		if (!lease)
			return 0;
		mark = READ(lease->mark);
		term = READ(lease->term);
		if (!same(lease, key))
			continue;
		// Written meanwhile, it may be of two flows: the worker empties the term first, writes it
		// last, and never leaves the same mark.
		if (READ(lease->term) != term || READ(lease->mark) != mark)
			return 0;
		pass->tick = bpf_ktime_get_coarse_ns() >> TICK_BITS;
		// One less than what is left, so that nothing left is the most of all.
		if ((__u32)term != revision || (__u32)((term >> ABOVE) - pass->tick - 1) >= LONGEST_TERM)
			return 0;
		pass->row = queue * ROWS + (mark & (ROWS - 1));
		pass->lease = lease;
		return 1;
	}
	return 0;
}

// Whether the other interface is there; counts the packet, which goes to it, if so.
static __always_inline int passes(const struct pass *pass)
{
	__u64 *through = bpf_map_lookup_elem(&let_through, &pass->row);
	struct lease *lease = pass->lease;

	if (!through || bpf_redirect_map(&across, 0, XDP_DROP) != XDP_REDIRECT)
		return 0;
	lease->used = (__u32)(lease->used + 1) | (__u64)pass->tick << ABOVE;
	++*through;
	return 1;
}

// Whether a worker runs the program: the frame came from the loopback interface, where it is attached
// nowhere, and it has metadata in front of it, which costs a frame of a NIC no look at the interface.
static __always_inline int handed_back(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data, *before = (__u8 *)(long)ctx->data_meta;

	return before + METADATA <= data && ctx->ingress_ifindex == LOOPBACK;
}

// Makes the frame of this run the next one that the worker lets pass. Its length says whose: what stands in
// its memory may be of its last user.
static __always_inline int send(struct xdp_md *ctx)
{
	int spare = ctx->data_end - ctx->data;
	__u32 lane = spare - SHORTEST, place;
	__u64 *next = bpf_map_lookup_elem(&taken, &lane), bytes;
	struct outgoing *from;

	if (!next || *next >= BATCH)
		return XDP_DROP;
	place = lane * BATCH + (__u32)*next;
	++*next;
	from = bpf_map_lookup_elem(&outgoing, &place);
	if (!from)
		return XDP_DROP;
	bytes = READ(from->bytes);
	if (bytes < SHORTEST || bytes > sizeof(from->frame))
		return XDP_DROP;
	// Whoever gets the frame would take the metadata for his own.
	if (bpf_xdp_adjust_meta(ctx, METADATA) || bpf_xdp_adjust_tail(ctx, (int)bytes - spare))
		return XDP_DROP;
	if (bpf_xdp_store_bytes(ctx, 0, from->frame, bytes))
		return XDP_DROP;
	return bpf_redirect_map(&across, 0, XDP_DROP);
}

SEC("xdp")
int palisade_xdp(struct xdp_md *ctx)
{
	if (handed_back(ctx))
		return send(ctx);

	// The helper answers the third argument when the map has no entry.
	int action = bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_DROP);
	struct pass pass;

	if (action == XDP_REDIRECT) {
		if (!leased(ctx, &pass))
			return shed(ctx) ? XDP_DROP : action;
		if (passes(&pass))
			return XDP_REDIRECT;
		// To the worker after all: the redirection before was overwritten.
		return bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_DROP);
	}
	action = bpf_redirect_map(&peers, 0, XDP_DROP);
	count(action == XDP_REDIRECT ? BRIDGED : DROPPED);
	return action;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
