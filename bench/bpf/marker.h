/* The 16 bytes that the generator puts behind the UDP or TCP header and the sink looks for. */
#ifndef MARKER_H
#define MARKER_H

#define MARKER_MAGIC 0x9a115ade
#define UDP_V4 42 /* bytes of Ethernet, IPv4, UDP */
#define UDP_V6 62
#define TCP_V4 54
#define TCP_V6 74
#define PORTS_V4 34 /* bytes before the ports */
#define PORTS_V6 54
#define CLASSES 64

struct marker {
	__u32 magic;
	__u32 flow; /* index in the generator's table; the class in the top 6 bits */
	__u32 sequence; /* of the entry */
	__u32 sent_ns; /* when it should have gone out: low 32 bits of the kernel's monotonic clock */
} __attribute__((packed));

#define FLOW_BITS 26
#define FLOW_MASK ((1U << FLOW_BITS) - 1)

#endif
