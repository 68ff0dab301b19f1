/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The ring buffer that carries the records, when its reader is woken, and what it lost. */
#ifndef TUXSCOPE_RING_BPF_H
#define TUXSCOPE_RING_BPF_H

/*
 * A wakeup costs the traced program 4-9 us, more than all the rest of a handler. So the reader
 * is woken only when 10 ms have passed since it was last woken (one event alone shows at once)
 * or when a quarter of the ring has been written since then (a storm never overruns a sleeping
 * reader). What neither rule covers the reader fetches by itself 12 ms after it was woken.
 */
#define WAKEUP_INTERVAL_NS (10 * 1000 * 1000ULL)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* user space sets the size before it loads */
} events SEC(".maps");

/* A quarter of the ring, in bytes. */
const volatile __u64 wakeup_bytes = 1 << 18;

/*
 * .bss, which the reader has mapped. `lost` is exact, as is `lost_unshown`: what wasn't asked for
 * itself, but was to complete a later event's line. The two others are hints that several
 * CPUs write without order: the worst that a race does is one wakeup more or one 10 ms late.
 */
__u64 lost[PROC_EVENT_TYPES] = {};
__u64 lost_unshown = 0;
__u64 last_wakeup_ns = 0;
__u64 last_wakeup_pos = 0;

static __always_inline void *ring_reserve(__u64 size, enum proc_event_type type)
{
	void *record = bpf_ringbuf_reserve(&events, size, 0);

	if (!record)
		__sync_fetch_and_add(&lost[type], 1);
	return record;
}

static __always_inline void ring_submit(void *record, __u64 now)
{
	/* The producer's position, not the fill: that would fetch the consumer's cache line. */
	__u64 pos = bpf_ringbuf_query(&events, BPF_RB_PROD_POS);
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (now - last_wakeup_ns >= WAKEUP_INTERVAL_NS || pos - last_wakeup_pos >= wakeup_bytes) {
		last_wakeup_ns = now;
		last_wakeup_pos = pos;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(record, flags);
}

#endif
