/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Execs that failed, at the end of the system call: there alone the name and the arguments can be
 * read, for the call itself has brought them into memory (but those that it did not come to: a
 * name that leads nowhere is found before any argument is looked at). Neither the scheduler's
 * tracepoints nor the hooks of security modules see a file that isn't there; the tracepoints of a
 * single system call slow all of them as sys_exit does, and know nothing of 32-bit callers.
 */
#ifndef TUXSCOPE_FEXEC_BPF_H
#define TUXSCOPE_FEXEC_BPF_H

/* include/linux/errno.h: from here on errors are the kernel's own, which repeats the call. */
#define ERESTARTSYS 512
/* include/uapi/linux/fcntl.h */
#define AT_FDCWD (-100)

/* How it was called. */
struct exec_call {
	__u64 filename;
	__u64 argv;
	__s32 dirfd;
	__u32 error;
	__u32 pointer_size;
	__u32 nth; /* of the programs below */
};

/* Fills in how execve or execveat was called that returns now; false where it was neither. */
#if defined(__TARGET_ARCH_x86)

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h */

/* arch/x86/entry/syscalls */
enum { EXECVE = 59, EXECVEAT = 322, COMPAT_EXECVE = 11, COMPAT_EXECVEAT = 358 };

static __always_inline int was_exec(struct exec_call *call, void *pt_regs)
{
	struct pt_regs___on_x86 *regs = pt_regs;
	__u64 number = regs->orig_ax;
	struct task_struct___on_x86 *task;

	if (number != EXECVE && number != EXECVEAT && number != COMPAT_EXECVE &&
	    number != COMPAT_EXECVEAT)
		return 0;
	task = (void *)bpf_get_current_task();
	call->dirfd = AT_FDCWD;
	if (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT) {
		call->pointer_size = sizeof(__u32);
		call->filename = (__u32)regs->bx;
		call->argv = (__u32)regs->cx;
		if (number == COMPAT_EXECVE)
			return 1;
		call->dirfd = regs->bx;
		call->filename = (__u32)regs->cx;
		call->argv = (__u32)regs->dx;
		return number == COMPAT_EXECVEAT;
	}
	call->pointer_size = sizeof(__u64);
	call->filename = regs->di;
	call->argv = regs->si;
	if (number == EXECVE)
		return 1;
	call->dirfd = regs->di;
	call->filename = regs->si;
	call->argv = regs->dx;
	return number == EXECVEAT;
}

#elif defined(__TARGET_ARCH_arm64)

#define TIF_32BIT 22 /* arch/arm64/include/asm/thread_info.h */

/* include/uapi/asm-generic/unistd.h, arch/arm/tools/syscall.tbl */
enum { EXECVE = 221, EXECVEAT = 281, COMPAT_EXECVE = 11, COMPAT_EXECVEAT = 387 };

static __always_inline int was_exec(struct exec_call *call, void *pt_regs)
{
	struct pt_regs___on_arm64 *regs = pt_regs;
	__s32 number = regs->syscallno;
	struct task_struct___on_arm64 *task;
	int compat;

	if (number != EXECVE && number != EXECVEAT && number != COMPAT_EXECVE &&
	    number != COMPAT_EXECVEAT)
		return 0;
	task = (void *)bpf_get_current_task();
	compat = (BPF_CORE_READ(task, thread_info.flags) >> TIF_32BIT) & 1;
	call->pointer_size = compat ? sizeof(__u32) : sizeof(__u64);
	/* The first register may have the result by now. */
	if (number == (compat ? COMPAT_EXECVE : EXECVE)) {
		call->dirfd = AT_FDCWD;
		call->filename = regs->orig_x0;
		call->argv = regs->regs[1];
		return 1;
	}
	call->dirfd = regs->orig_x0;
	call->filename = regs->regs[1];
	call->argv = regs->regs[2];
	return number == (compat ? COMPAT_EXECVEAT : EXECVEAT);
}

#else

/*
 * 32-bit callers have the same numbers here. How wide a caller's pointers are, its registers tell
 * (bits of the thread's flags moved from one kernel to another).
 */
#if defined(__TARGET_ARCH_riscv)

/* include/uapi/asm-generic/unistd.h; arch/riscv/include/asm/csr.h */
enum { EXECVE = 221, EXECVEAT = 281 };
#define SR_UXL 0x300000000
#define SR_UXL_64 0x200000000
#define REGISTERS pt_regs___on_riscv
#define NUMBER(regs) ((regs)->a7)
#define IS_64_BIT(regs) (((regs)->status & SR_UXL) == SR_UXL_64)
#define FIRST(regs) ((regs)->orig_a0)
#define SECOND(regs) ((regs)->a1)
#define THIRD(regs) ((regs)->a2)

#elif defined(__TARGET_ARCH_s390)

/* arch/s390/kernel/syscalls/syscall.tbl; arch/s390/include/uapi/asm/ptrace.h, asm/compat.h */
enum { EXECVE = 11, EXECVEAT = 354 };
#define NARROW_POINTER 0x7fffffff
#define PSW_MASK_EA 0x100000000
#define REGISTERS pt_regs___on_s390
#define NUMBER(regs) ((regs)->int_code & 0xffff)
#define IS_64_BIT(regs) ((regs)->psw.mask & PSW_MASK_EA)
#define FIRST(regs) ((regs)->orig_gpr2)
#define SECOND(regs) ((regs)->gprs[3])
#define THIRD(regs) ((regs)->gprs[4])

#elif defined(__TARGET_ARCH_powerpc)

/* arch/powerpc/kernel/syscalls/syscall.tbl; arch/powerpc/include/asm/reg.h */
enum { EXECVE = 11, EXECVEAT = 362 };
#define MSR_SF_LG 63
#define REGISTERS pt_regs___on_powerpc
#define NUMBER(regs) ((regs)->gpr[0])
#define IS_64_BIT(regs) ((regs)->msr >> MSR_SF_LG)
#define FIRST(regs) ((regs)->orig_gpr3)
#define SECOND(regs) ((regs)->gpr[4])
#define THIRD(regs) ((regs)->gpr[5])

#else
#error "failed execs: where do this architecture's system calls have their numbers and arguments?"
#endif

#ifndef NARROW_POINTER
#define NARROW_POINTER 0xffffffff
#endif

static __always_inline int was_exec(struct exec_call *call, void *pt_regs)
{
	struct REGISTERS *regs = pt_regs;
	__u64 number = NUMBER(regs), pointer;

	if (number != EXECVE && number != EXECVEAT)
		return 0;
	call->pointer_size = IS_64_BIT(regs) ? sizeof(__u64) : sizeof(__u32);
	pointer = IS_64_BIT(regs) ? ~0ULL : NARROW_POINTER;
	/* The register of the first may have the result by now. */
	if (number == EXECVE) {
		call->dirfd = AT_FDCWD;
		call->filename = FIRST(regs) & pointer;
		call->argv = SECOND(regs) & pointer;
		return 1;
	}
	call->dirfd = FIRST(regs);
	call->filename = SECOND(regs) & pointer;
	call->argv = THIRD(regs) & pointer;
	return 1;
}

#endif

/*
 * A failure behind the point of no return has taken the program away, and with it what the call's
 * pointers led to; the memory of the new one is unfinished: see fs/binfmt_elf.c, create_elf_tables.
 */
static __always_inline int lost_its_memory(struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	return !mm || !BPF_CORE_READ(mm, arg_end);
}

/*
 * The length of a string that was copied, with its NUL. Of an empty one kernels say 0,
 * without: 6.12 still. (No branch, which would double what is to be verified.)
 */
static __always_inline long with_nul(long copied)
{
	__u64 none = (__u64)(copied - 1) >> 63;

	barrier_var(none);
	return copied + none;
}

/*
 * Copies at most `argc` arguments, of which the verifier follows the loop through each, and
 * `limit` bytes, no more than `room`. Returns how many bytes, and tells in `flags` whether there
 * are more, or more could not be read.
 */
static __always_inline __u32 read_args(char *to, const struct exec_call *call, const __u32 room,
				       const int argc, __u32 limit, enum wide_flags *flags)
{
	__u64 argv = call->argv;
	__u32 len = 0;

	if (!argv) /* Linux takes it for an empty list. */
		return 0;
	for (int i = 0; i < argc; i++) {
		__u32 size = call->pointer_size;
		__u32 left = limit - len + 1;
		__u64 arg = 0;
		long copied;

		if (size != sizeof(__u32))
			size = sizeof(__u64);
		if (bpf_probe_read_user(&arg, size, (void *)argv)) {
			*flags |= WIDE_ARGS_UNREAD;
			return len;
		}
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		arg >>= 8 * (sizeof(arg) - size); /* a narrow one is in front */
#endif
		if (!arg)
			return len;
		argv += size;
		/* The verifier doesn't see what follows from what. */
		barrier_var(left);
		if (len >= limit || len >= room || left > room + 1)
			break;
		copied = bpf_probe_read_user_str(to + len, left, (void *)arg);
		if (copied < 0) {
			*flags |= WIDE_ARGS_UNREAD;
			return len;
		}
		len += with_nul(copied);
		if (len > limit) {
			len = limit;
			break;
		}
	}
	*flags |= WIDE_ARGS_CUT;
	return len;
}

/* Bytes of a name and of arguments. More than these are not worth what they take to verify. */
#define FEW 256
#define MANY 4096 /* PATH_MAX */

enum sent { SENT, NAME_TOO_LONG, NO_ROOM };

/*
 * Sends it with at most `room` bytes of each; `whole`: not at all, if there are more that are
 * wanted.
 */
static __always_inline enum sent send_failed(const struct subject *subject,
					     const struct of_task *task,
					     const struct exec_call *call, int readable,
					     const __u32 room, const int argc, int whole)
{
	struct wide_exec_failed *failed;
	enum wide_flags flags = 0;
	__u32 limit = max_args;
	long name = 0;
	char *data;

	failed = bpf_ringbuf_reserve(&events, sizeof(*failed) + 3 * room, 0);
	if (!failed)
		return NO_ROOM;
	data = (char *)(failed + 1);
	fill_from(&failed->event, subject, PROC_EXEC_FAILED, task);
	failed->dirfd = call->dirfd;
	failed->error = call->error;
	failed->args_len = 0;
	if (readable) {
		name = bpf_probe_read_user_str(data, room, (void *)call->filename);
		name = name < 0 ? 0 : with_nul(name);
	}
	if (name >= room && room < MANY) {
		bpf_ringbuf_discard(failed, BPF_RB_NO_WAKEUP);
		return NAME_TOO_LONG;
	}
	if (name >= MANY) /* No name is that long, and the call didn't read it either. */
		name = 0;
	failed->filename_len = name;
	if (limit > room)
		limit = room;
	if (readable)
		failed->args_len = read_args(data + name, call, room, argc, limit, &flags);
	else
		flags = WIDE_ARGS_UNREAD;
	if (whole && (flags & WIDE_ARGS_CUT) && limit < max_args) {
		bpf_ringbuf_discard(failed, BPF_RB_NO_WAKEUP);
		return NAME_TOO_LONG;
	}
	failed->event.header.flags |= flags;
	ring_submit(failed, failed->event.timestamp_ns);
	return SENT;
}

/*
 * Tells of one that failed. Before 5.11 there is no typed pointer to the current task, so what is
 * needed of it is read. Not inlined: it is the same for all programs below.
 */
static __noinline int tell_failed(const struct exec_call *call)
{
	struct subject subject = {};
	struct of_task of_task = {};
	struct task_struct *task, *leader;
	struct pid *pid;
	enum sent sent;
	int readable;

	task = (void *)bpf_get_current_task();
	leader = BPF_CORE_READ(task, group_leader);
	subject.task = task;
	subject.leader = leader;
	subject.nth = call->nth;
	subject.tgid = BPF_CORE_READ(task, tgid);
	subject.ppid = BPF_CORE_READ(leader, real_parent, tgid);
	pid = BPF_CORE_READ(leader, thread_pid);
	subject.pid = pid;
	subject.pid_level = BPF_CORE_READ(pid, level);
	if (!wanted(&subject, PROC_EXEC_FAILED, wanted_tree(subject.tgid), 1) ||
	    !prepare(&subject, PROC_EXEC_FAILED))
		return 0;
	of_task.tid = BPF_CORE_READ(task, pid);
	of_task.leader_flags = BPF_CORE_READ(leader, flags);
	of_task.start_ns = BPF_CORE_READ(leader, start_time);
	of_task.exec_id = BPF_CORE_READ(leader, self_exec_id);
	of_task.login_uid = NO_LOGIN;
	if (bpf_core_field_exists(leader->loginuid))
		of_task.login_uid = BPF_CORE_READ(leader, loginuid.val);
	readable = !lost_its_memory(task);

	sent = send_failed(&subject, &of_task, call, readable, FEW, 32, 1);
	if (sent == NAME_TOO_LONG)
		sent = send_failed(&subject, &of_task, call, readable, MANY, 128, 0);
	/* As for an exec. */
	if (sent == NO_ROOM)
		sent = send_failed(&subject, &of_task, call, readable, FEW, 32, 0);
	if (sent != SENT)
		count_lost(&subject, PROC_EXEC_FAILED);
	return 0;
}

/* All that follow are handed the caller's registers and the result. */
static __always_inline int call_returns(unsigned long long *ctx, __u32 nth)
{
	__s64 result = ctx[1];
	struct exec_call call = {};

	if (result >= 0 || result <= -ERESTARTSYS)
		return 0;
	if (!was_exec(&call, (void *)ctx[0]) || !tracing)
		return 0;
	call.error = -result;
	call.nth = nth;
	return tell_failed(&call);
}

/*
 * At the return of the functions behind execve and execveat, of both kinds of callers: nothing else
 * is slowed. src/kernel/failed_execs.rs knows what they are called.
 */
SEC("fexit")
int wide_execve(unsigned long long *ctx)
{
	return call_returns(ctx, 0);
}

SEC("fexit")
int wide_execveat(unsigned long long *ctx)
{
	return call_returns(ctx, 1);
}

SEC("fexit")
int wide_execve_32(unsigned long long *ctx)
{
	return call_returns(ctx, 2);
}

SEC("fexit")
int wide_execveat_32(unsigned long long *ctx)
{
	return call_returns(ctx, 3);
}

/*
 * Where those can't be had: at the exit of each system call of the machine. What isn't an exec that
 * failed leaves with the first comparison.
 */
SEC("tp_btf/sys_exit")
int wide_exec_failed(unsigned long long *ctx)
{
	return call_returns(ctx, 0);
}

#endif
