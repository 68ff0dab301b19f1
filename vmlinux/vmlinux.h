/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, trimmed to what the BPF programs name. Offsets and sizes here mean
 * nothing: preserve_access_index makes each access a CO-RE relocation that libbpf resolves
 * against the running kernel's BTF. `vmlinux/check.sh` compares this file with that BTF.
 */
#ifndef TUXSCOPE_VMLINUX_H
#define TUXSCOPE_VMLINUX_H

typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

/* include/uapi/linux/bpf.h: a stable ABI, the numbers are fixed. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum {
	BPF_RB_PROD_POS = 3,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/trace/events/sched.h; 6.16 moved both fields */
struct trace_event_raw_sched_process_fork {
	int parent_pid;
	int child_pid;
};

#pragma clang attribute pop

#endif
