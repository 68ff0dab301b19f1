/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, trimmed to what the BPF programs name. Offsets and sizes here mean
 * nothing: preserve_access_index makes each access a CO-RE relocation that libbpf resolves
 * against the running kernel's BTF. `vmlinux/check.sh` compares this file with that BTF.
 */
#ifndef TUXSCOPE_VMLINUX_H
#define TUXSCOPE_VMLINUX_H

#define NULL ((void *)0)

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
typedef int pid_t;
typedef _Bool bool;

/* include/uapi/linux/bpf.h: a stable ABI, the numbers are fixed. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_CGROUP_ARRAY = 8,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

enum {
	BPF_F_NO_PREALLOC = 1,
};

enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

enum {
	BPF_RB_PROD_POS = 3,
};

struct bpf_pidns_info {
	__u32 pid;
	__u32 tgid;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/sched.h and what hangs on it */

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
	struct task_struct *group_exec_task; /* since 5.17; group_exit_task before */
	struct mm_struct *oom_mm;
	/* Of threads that were released: include/linux/sched/signal.h */
	unsigned long nvcsw;
	unsigned long nivcsw;
	unsigned long min_flt;
	unsigned long maj_flt;
	unsigned long inblock; /* blocks of 512 bytes */
	unsigned long oublock;
	unsigned long maxrss; /* pages */
	unsigned long long sum_sched_runtime; /* ns */
};

typedef struct {
	unsigned long sig[1]; /* of 64 bits each, on what runs BPF */
} sigset_t;

struct sigaction {
	void *sa_handler;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64]; /* larger ones than ours: not to be indexed */
};

union __sifields {
	struct {
		pid_t _pid;
		__u32 _uid;
	} _kill;
};

struct kernel_siginfo {
	int si_code;
	union __sifields _sifields;
};

struct sched_entity {
	__u64 sum_exec_runtime; /* ns */
};

struct sched_info { /* CONFIG_SCHED_INFO */
	unsigned long pcount; /* since it began, how often it got a CPU */
	unsigned long long run_delay; /* ns */
};

struct task_io_accounting { /* CONFIG_TASK_IO_ACCOUNTING */
	__u64 read_bytes;
};

struct kernfs_node {
	struct kernfs_node *__parent; /* since 6.15 */
	const char *name;
	__u64 id; /* a plain number since 5.5 */
};

struct kernfs_node___before_6_15 {
	struct kernfs_node___before_6_15 *parent;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

/* include/linux/mm_types_task.h */
enum {
	MM_FILEPAGES,
	MM_ANONPAGES,
	MM_SWAPENTS,
	MM_SHMEMPAGES,
	NR_MM_COUNTERS,
};

struct percpu_counter {
	__s64 count;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long hiwater_rss; /* pages */
	struct percpu_counter rss_stat[NR_MM_COUNTERS]; /* of this type since 6.2 */
};

/* include/linux/types.h */
struct list_head {
	struct list_head *next;
};

/* include/linux/uidgid_types.h */
typedef struct {
	unsigned int val;
} kuid_t;

/* include/linux/ns_common.h, include/linux/pid_namespace.h */
struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

/* include/linux/pid.h */
struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1]; /* one a level; without a number from 6.5 on (b69f0aeb0689) */
};

struct task_struct {
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	pid_t pid;
	pid_t tgid;
	unsigned int ptrace;
	struct task_struct *real_parent;
	struct task_struct *parent; /* the tracer, if there is one */
	struct list_head children;
	struct list_head sibling;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	__u64 start_time; /* CLOCK_MONOTONIC, ns */
	__u64 start_boottime; /* CLOCK_BOOTTIME, ns; real_start_time up to 5.4 */
	char comm[16];
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	sigset_t blocked;
	sigset_t real_blocked;
	__u64 self_exec_id; /* a u32 up to 5.6 */
	kuid_t loginuid; /* CONFIG_AUDIT */
	struct css_set *cgroups; /* CONFIG_CGROUPS */
	struct sched_entity se;
	struct sched_info sched_info;
	struct task_io_accounting ioac;
};

/* include/linux/binfmts.h */
struct linux_binprm {
	const char *filename;
};

/*
 * arch/.../include/asm/ptrace.h and thread_info.h: flavours, for each kernel has its own alone.
 */
struct pt_regs___on_x86 {
	unsigned long bx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long cx;
	unsigned long orig_ax;
};

struct pt_regs___on_arm64 {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};

struct pt_regs___on_riscv {
	unsigned long a1;
	unsigned long a2;
	unsigned long a7;
	unsigned long status;
	unsigned long orig_a0;
};

struct psw___on_s390 {
	unsigned long mask;
};

struct pt_regs___on_s390 {
	struct psw___on_s390 psw;
	unsigned long gprs[16];
	unsigned long orig_gpr2;
	unsigned int int_code;
};

struct pt_regs___on_powerpc {
	unsigned long gpr[32];
	unsigned long msr;
	unsigned long orig_gpr3;
};

struct thread_info___on_x86 {
	__u32 status;
};

struct task_struct___on_x86 {
	struct thread_info___on_x86 thread_info;
};

struct thread_info___on_arm64 {
	unsigned long flags;
};

struct task_struct___on_arm64 {
	struct thread_info___on_arm64 thread_info;
};

/* include/trace/events/sched.h */

struct trace_event_raw_sched_process_fork {
	int parent_pid; /* 6.16 moved it, */
	int child_pid; /* and this one */
};

struct trace_event_raw_sched_process_exec {
	pid_t old_pid;
};

struct trace_event_raw_sched_process_exit { /* since 6.16 */
	bool group_dead;
};

#pragma clang attribute pop

#endif
