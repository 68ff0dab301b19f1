// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * Makes processes whose lives are known, for the tests, the kernel matrix and the benchmarks.
 * What it prints is the truth that the tracer is compared with: ids from getpid, gettid and
 * clone, statuses from waitpid. One JSON object per line, flushed before anything else happens.
 *
 *   worker storm KIND COUNT WORKERS [PROGRAM]
 *                                     KIND: fork, thread, vfork-exec (of PROGRAM, or of itself)
 *   worker sleepers COUNT PROGRAM     COUNT children that run PROGRAM until standard input ends
 *   worker same-pid PID COUNT         COUNT children, one after the other, that all get this pid
 *   worker tally COUNT WORKERS        processes that end in every way, counted by wait status
 *   worker lineages [stay]            orphans who fork, and tell when they were orphaned; with
 *                                     "stay" they end by SIGTERM, when the input has ended
 *   worker hold COUNT                 COUNT children and their children, until standard input ends
 *   worker case NAME                  one of the cases at the end of this file
 *   worker deaths                     processes that die of a signal, and who sent it
 *   worker costs DIR                  children that use much of one thing; some files of DIR
 *   worker spend US MB FD             uses so much, tells FD its highest resident set, ends
 *   worker zombie                     a child that nobody reaps until standard input ends
 *   worker unreaped                   a child whose parent ignores SIGCHLD
 *   worker usage                      tells what it has used itself, and ends
 *   worker failed-execs DIR           execs that fail, of files that it makes in that directory
 *   worker system-calls COUNT         what one takes
 *   worker into-cgroup DIR            a child that is born in this cgroup
 *   worker io-uring                   a child for which the kernel makes threads; 77: it has none
 *   worker thread-execs COMMAND...    tells the id of a thread, which becomes the command
 *   worker exit CODE                  ends with that status
 *   worker become UID                 becomes that user, and ends
 *   worker no-bpf COMMAND...          runs it where bpf(2) says ENOSYS
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *self;

/* Ids of threads that can't tell them themselves: the process is gone before anyone could ask. */
static struct {
	int count;
	pid_t tids[8];
} * shared;

static void die(const char *what)
{
	fprintf(stderr, "worker: %s: %s\n", what, strerror(errno));
	_exit(99);
}

/* One write a line: children share the descriptor. */
static void truth(const char *format, ...)
{
	char line[4096];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (write(STDOUT_FILENO, line, len) != len)
		die("write");
}

static pid_t gettid_(void)
{
	return syscall(SYS_gettid);
}

static pid_t fork_(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

/* What the child that was last waited for has used, its own children's included. */
static struct rusage used;
/* And by its CPU clock, which is the scheduler's, in ns, without its children's. */
static long long clock_ns;

static void read_clock(pid_t pid)
{
	struct timespec time = {};
	clockid_t clock;

	if (!clock_getcpuclockid(pid, &clock))
		clock_gettime(clock, &time);
	clock_ns = time.tv_sec * 1000000000LL + time.tv_nsec;
}

/*
 * Not at once: a zombie may still have to leave its CPU, a switch that the kernel counts in the
 * end, and that wait4(2) would not have seen.
 */
static int wait_for(pid_t pid)
{
	siginfo_t child = {};
	int status;

	if (!waitid(pid < 0 ? P_ALL : P_PID, pid < 0 ? 0 : pid, &child,
		    WEXITED | WSTOPPED | WNOWAIT)) {
		usleep(1000);
		read_clock(child.si_pid);
	}
	while (wait4(pid, &status, 0, &used) < 0)
		if (errno != EINTR)
			die("wait4");
	return status;
}

static long long cpu_us(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000LL +
	       usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
}

/* The whole life of a child as its parent saw it; `execs` is how many images it ran. */
static void saw_more(const char *name, pid_t pid, pid_t ppid, int execs, int status,
		     const char *more)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	char tids[128] = "";
	int len = 0;

	for (int i = 0; i < shared->count; i++)
		len += sprintf(tids + len, "%s%d", i ? "," : ",\"tids\":[", shared->tids[i]);
	if (shared->count)
		strcpy(tids + len, "]");
	shared->count = 0;
	truth("{\"case\":\"%s\",\"pid\":%d,\"ppid\":%d,\"execs\":%d,\"exit_code\":%d,\"signal\":%d,"
	      "\"core\":%d%s%s,\"used\":{\"cpu_us\":%lld,\"clock_ns\":%lld,\"max_rss_kb\":%ld,"
	      "\"minor_faults\":%ld,\"major_faults\":%ld,\"voluntary_switches\":%ld,"
	      "\"involuntary_switches\":%ld,\"blocks_in\":%ld,\"blocks_out\":%ld}}\n",
	      name, pid, ppid, execs, signal ? -1 : WEXITSTATUS(status), signal,
	      WIFSIGNALED(status) && WCOREDUMP(status) ? 1 : 0, tids, more, cpu_us(&used), clock_ns,
	      used.ru_maxrss, used.ru_minflt, used.ru_majflt, used.ru_nvcsw, used.ru_nivcsw,
	      used.ru_inblock, used.ru_oublock);
}

static void saw(const char *name, pid_t pid, pid_t ppid, int execs, int status)
{
	saw_more(name, pid, ppid, execs, status, "");
}

static void share_tid(void)
{
	shared->tids[__atomic_fetch_add(&shared->count, 1, __ATOMIC_RELAXED)] = gettid_();
}

static void exec_exit(const char *code)
{
	execl(self, "worker", "exit", code, NULL);
	_exit(98);
}

static void *do_nothing(void *arg)
{
	return arg;
}

/* ---- storms ---- */

/* What vfork-exec executes; NULL: this program. */
static const char *program;

static void storm_fork(long count)
{
	while (count-- > 0) {
		pid_t pid = fork_();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void storm_vfork_exec(long count)
{
	while (count-- > 0) {
		pid_t pid = vfork();

		if (pid < 0)
			die("vfork");
		if (pid == 0 && program) {
			execl(program, program, NULL);
			_exit(98);
		}
		if (pid == 0)
			exec_exit("0");
		waitpid(pid, NULL, 0);
	}
}

static void storm_thread(long count)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	while (count-- > 0) {
		pthread_t thread;
		int error;

		while ((error = pthread_create(&thread, &attr, do_nothing, NULL)) == EAGAIN)
			sched_yield();
		if (error)
			die("pthread_create");
		pthread_join(thread, NULL);
	}
}

static int storm(const char *kind, long count, long workers)
{
	struct timespec began, ended;
	void (*run)(long);
	long made = 0;

	if (!strcmp(kind, "fork"))
		run = storm_fork;
	else if (!strcmp(kind, "vfork-exec"))
		run = storm_vfork_exec;
	else if (!strcmp(kind, "thread"))
		run = storm_thread;
	else
		return 2;

	clock_gettime(CLOCK_MONOTONIC, &began);
	for (long i = 0; i < workers; i++) {
		long share = count / workers + (i < count % workers);

		made += share;
		if (fork_() == 0) {
			run(share);
			_exit(0);
		}
	}
	for (long i = 0; i < workers; i++)
		if (wait_for(-1))
			return 1;
	clock_gettime(CLOCK_MONOTONIC, &ended);
	getrusage(RUSAGE_CHILDREN, &used);
	truth("{\"storm\":\"%s\",\"pid\":%d,\"forks\":%ld,\"execs\":%ld,\"exits\":%ld,\"ns\":%lld,"
	      "\"cpu_us\":%lld}\n",
	      kind, getpid(), made + workers, run == storm_vfork_exec ? made : 0, made + workers,
	      (ended.tv_sec - began.tv_sec) * 1000000000LL + ended.tv_nsec - began.tv_nsec,
	      cpu_us(&used));
	return 0;
}

static int sleepers(long count, const char *sleeper)
{
	pid_t group = 0;
	char byte;

	for (long i = 0; i < count; i++) {
		pid_t pid = vfork();

		if (pid < 0)
			die("vfork");
		if (pid == 0) {
			setpgid(0, group);
			execl(sleeper, sleeper, "for-ever", NULL);
			_exit(98);
		}
		if (!group)
			group = pid;
	}
	truth("{\"sleepers\":%ld}\n", count);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	kill(-group, SIGKILL);
	while (count-- > 0)
		wait_for(-1);
	return 0;
}

/* The fields of clone3(2)'s argument up to those that are used here. */
struct clone_args_ {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
	    set_tid_size;
};

/*
 * The pid is known before the first child is made, so a tracer can be told of it, and below 300
 * the kernel gives it to nobody else (RESERVED_PIDS of kernel/pid.c). Takes Linux 5.5 and root.
 */
static int same_pid(pid_t wanted, long count)
{
	struct clone_args_ args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&wanted,
		.set_tid_size = 1,
	};

	for (long i = 0; i < count; i++) {
		pid_t pid = syscall(SYS_clone3, &args, sizeof(args));

		if (pid < 0)
			die("clone3");
		if (pid == 0)
			exec_exit("0");
		if (wait_for(pid))
			return 1;
	}
	truth("{\"storm\":\"same-pid\",\"pid\":%d,\"forks\":%ld,\"execs\":%ld,\"exits\":%ld,"
	      "\"ns\":0}\n",
	      getpid(), count, count, count);
	return 0;
}

/* ---- a storm of ends ---- */

static void *exit_group_1(void *arg)
{
	pthread_barrier_wait(arg);
	_exit(1);
}

static void *kill_group(void *arg)
{
	pthread_barrier_wait(arg);
	kill(getpid(), SIGKILL);
	return NULL;
}

static void *exit_thread(void *arg)
{
	pthread_barrier_wait(arg);
	syscall(SYS_exit, 77);
	return NULL;
}

static void *exec_in_thread(void *arg)
{
	exec_exit(arg);
	return NULL;
}

static void with_threads(int count, void *(*run)(void *))
{
	static pthread_barrier_t barrier;
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, count + 1);
	for (int i = 0; i < count; i++)
		if (pthread_create(&thread, NULL, run, &barrier))
			_exit(96);
	pthread_barrier_wait(&barrier);
}

enum { WAYS = 8 };

/* In the child: never returns. Which one wins a race only waitpid knows. */
static void end_somehow(long number)
{
	static const int signals[] = { SIGTERM, SIGKILL, SIGINT,  SIGSEGV, SIGABRT,
				       SIGUSR1, SIGBUS,	 SIGPIPE, SIGSYS };
	int round = number / WAYS, signal;
	pthread_t thread;
	char code[8];

	snprintf(code, sizeof(code), "%d", round & 255);
	switch (number % WAYS) {
	case 0:
		_exit(round & 255);
	case 1:
		exec_exit(code);
		break;
	case 2:
		signal = round % 12 < 9 ? signals[round % 12] : SIGRTMIN + round % 12;
		kill(getpid(), signal);
		break;
	case 3: /* all leave together, each by itself */
		with_threads(3, exit_thread);
		syscall(SYS_exit, round & 255);
		break;
	case 4:
		with_threads(2, exit_group_1);
		_exit(2);
	case 5:
		with_threads(1, kill_group);
		_exit(3);
	case 6: /* the leader goes first */
		with_threads(1, exit_group_1);
		syscall(SYS_exit, 5);
		break;
	case 7:
		if (pthread_create(&thread, NULL, exec_in_thread, code))
			_exit(96);
		break;
	}
	for (;;)
		pause();
}

/* Prints how many processes ended with each status word of wait(2), its workers left out. */
static int tally(long count, long workers)
{
	unsigned int *counts = mmap(NULL, 65536 * sizeof(*counts), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct rlimit no_core = {};
	const char *comma = "";

	if (counts == MAP_FAILED || setrlimit(RLIMIT_CORE, &no_core))
		die("tally");
	for (long i = 0; i < workers; i++) {
		if (fork_())
			continue;
		for (long number = i; number < count; number += workers) {
			/* vfork only where the child execs at once */
			pid_t pid = number % WAYS == 1 ? vfork() : fork_();

			if (pid == 0)
				end_somehow(number);
			__atomic_fetch_add(&counts[wait_for(pid) & 0xffff], 1, __ATOMIC_RELAXED);
		}
		_exit(0);
	}
	for (long i = 0; i < workers; i++)
		if (wait_for(-1))
			return 1;
	truth("{\"pid\":%d,\"statuses\":[", getpid());
	for (int status = 0; status < 65536; status++)
		if (counts[status]) {
			truth("%s[%d,%u]", comma, status, counts[status]);
			comma = ",";
		}
	truth("]}\n");
	return 0;
}

/* ---- for those who come late ---- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void until_input_ends(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

enum { LINEAGE_FORKS = 40 };

/* Forks once a millisecond, then waits until the input ends and, if so asked, for a SIGTERM. */
static void orphan(int number, int stays)
{
	uint64_t forks[LINEAGE_FORKS];
	char line[LINEAGE_FORKS * 24], *end = line;

	for (int i = 0; i < LINEAGE_FORKS; i++) {
		pid_t pid;

		forks[i] = now_ns();
		pid = fork_();
		if (pid == 0)
			_exit(0);
		wait_for(pid);
		usleep(1000);
	}
	for (int i = 0; i < LINEAGE_FORKS; i++)
		end += sprintf(end, "%s%llu", i ? "," : "", (unsigned long long)forks[i]);
	truth("{\"orphan\":%d,\"number\":%d,\"forks\":[%s]}\n", getpid(), number, line);
	until_input_ends();
	if (stays) {
		alarm(120); /* whoever should send it has failed */
		pause();
	}
	_exit(0);
}

/*
 * Until its input ends: children who each fork an orphan-to-be and end 20 ms later, so that at
 * any moment some of this process' descendants are about to lose the link to it.
 */
static int lineages(int stay)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int number = 0;

	while (poll(&input, 1, 4) == 0) {
		pid_t pid = fork_();

		if (pid == 0) {
			pid_t child = fork_();

			if (child == 0)
				orphan(number, stay);
			usleep(20 * 1000);
			truth("{\"parent\":%d,\"number\":%d,\"end_ns\":%llu}\n", getpid(), number,
			      (unsigned long long)now_ns());
			_exit(0);
		}
		number++;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	while (wait(NULL) > 0)
		;
	truth("{\"parent\":0,\"number\":%d,\"end_ns\":0}\n", number);
	return 0;
}

/* Each child has a child of its own. Both live until the input ends. */
static int hold(long count)
{
	for (long i = 0; i < count; i++)
		if (fork_() == 0) {
			pid_t pid;

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pid = fork_();
			if (pid == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				until_input_ends();
			} else {
				wait_for(pid);
			}
			_exit(pid ? 21 : 22);
		}
	truth("{\"held\":%d}\n", getpid());
	while (wait(NULL) > 0)
		;
	return 0;
}

/* ---- cases ---- */

static void case_fork(void)
{
	pid_t pid = fork_();

	if (pid == 0)
		_exit(7);
	saw("fork", pid, getpid(), 0, wait_for(pid));
}

static void case_vfork(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		exec_exit("0");
	saw("vfork", pid, getpid(), 1, wait_for(pid));
}

static void case_fork_exec(void)
{
	pid_t pid = fork_();

	if (pid == 0)
		exec_exit("3");
	saw("fork-exec", pid, getpid(), 1, wait_for(pid));
}

/* sh execs twice: itself, then the worker in its place. */
static void case_exec_twice(void)
{
	pid_t pid = fork_();

	if (pid == 0) {
		execl(self, "worker", "exec-again", "5", NULL);
		_exit(98);
	}
	saw("exec-twice", pid, getpid(), 2, wait_for(pid));
}

static void *exec_from_thread(void *arg)
{
	share_tid();
	exec_exit(arg);
	return NULL;
}

/* The leader's task exits before the EXEC, and the thread takes over its id. */
static void case_exec_from_thread(void)
{
	pid_t pid = fork_();

	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, exec_from_thread, "4");
		for (;;)
			pause();
	}
	saw("exec-from-thread", pid, getpid(), 1, wait_for(pid));
}

static void *outlive(void *arg)
{
	share_tid();
	usleep(50 * 1000);
	_exit(*(int *)arg);
}

static void case_leader_first(void)
{
	static int code = 6;
	pid_t pid = fork_();

	if (pid == 0) {
		pthread_t thread;

		pthread_create(&thread, NULL, outlive, &code);
		syscall(SYS_exit, 0); /* this task only */
	}
	saw("leader-first", pid, getpid(), 0, wait_for(pid));
}

static void *tell_tid(void *arg)
{
	*(pid_t *)arg = gettid_();
	return NULL;
}

static void case_threads(void)
{
	int pipe_fds[2];
	pid_t tids[3] = {}, pid;
	int status;

	if (pipe(pipe_fds))
		die("pipe");
	pid = fork_();
	if (pid == 0) {
		pthread_t threads[3];

		for (int i = 0; i < 3; i++)
			pthread_create(&threads[i], NULL, tell_tid, &tids[i]);
		for (int i = 0; i < 3; i++)
			pthread_join(threads[i], NULL);
		if (write(pipe_fds[1], tids, sizeof(tids)) != sizeof(tids))
			_exit(97);
		_exit(0);
	}
	status = wait_for(pid);
	if (read(pipe_fds[0], tids, sizeof(tids)) != sizeof(tids))
		die("read");
	memcpy(shared->tids, tids, sizeof(tids));
	shared->count = 3;
	saw("threads", pid, getpid(), 0, status);
}

static void *tell_and_wait(void *arg)
{
	share_tid();
	pthread_barrier_wait(arg);
	pause();
	return NULL;
}

/* It fails while its threads live, which therefore end with its status. */
static void case_threads_fail(void)
{
	pid_t pid = fork_();

	if (pid == 0) {
		pthread_barrier_t barrier;
		pthread_t thread;

		pthread_barrier_init(&barrier, NULL, 4);
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, tell_and_wait, &barrier);
		pthread_barrier_wait(&barrier);
		_exit(3);
	}
	saw("threads-fail", pid, getpid(), 0, wait_for(pid));
}

/* As fork, with flags. */
static pid_t clone_as(unsigned long flags)
{
#ifdef __s390x__ /* the stack comes first there */
	return syscall(SYS_clone, 0, flags | SIGCHLD, 0, 0, 0);
#else
	return syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
#endif
}

static void *clone_sibling(void *made)
{
	pid_t pid = clone_as(CLONE_PARENT);

	if (pid == 0)
		_exit(9);
	((int *)made)[0] = pid;
	((int *)made)[1] = gettid_();
	if (gettid_() != getpid())
		shared->tids[shared->count++] = gettid_();
	return NULL;
}

/* The child is its maker's sibling: this process waits for it, not the one that made it. */
static void clone_parent(const char *name, int from_thread)
{
	int *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char more[64];
	pid_t maker;
	int status;

	if (made == MAP_FAILED)
		die("mmap");
	maker = fork_();
	if (maker == 0) {
		pthread_t thread;

		if (!from_thread)
			clone_sibling(made);
		else if (pthread_create(&thread, NULL, clone_sibling, made) ||
			 pthread_join(thread, NULL))
			die("thread");
		_exit(*made < 0);
	}
	status = wait_for(maker);
	saw("clone-parent-maker", maker, getpid(), 0, status);
	status = wait_for(*made);
	snprintf(more, sizeof(more), ",\"made_by\":%d,\"made_by_tid\":%d", maker, made[1]);
	saw_more(name, *made, getpid(), 0, status, more);
}

static void case_clone_parent(void)
{
	clone_parent("clone-parent", 0);
}

static void case_clone_parent_thread(void)
{
	clone_parent("clone-parent-thread", 1);
}

/* The first process of a PID namespace: it exits with what it takes for its id. */
static void case_pid_namespace(void)
{
	char path[64], more[64];
	struct stat namespace;
	int gate[2], status;
	pid_t pid;

	if (pipe(gate))
		die("pipe");
	pid = clone_as(CLONE_NEWPID);
	if (pid < 0)
		die("clone");
	if (pid == 0) {
		close(gate[1]);
		if (read(gate[0], &status, 1))
			_exit(98);
		_exit(syscall(SYS_getpid));
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	if (stat(path, &namespace))
		die(path);
	close(gate[0]);
	close(gate[1]);
	status = wait_for(pid);
	snprintf(more, sizeof(more), ",\"ns_pid\":%d,\"pidns\":%llu", WEXITSTATUS(status),
		 (unsigned long long)namespace.st_ino);
	saw_more("pid-namespace", pid, getpid(), 0, status, more);
}

static void case_exit_codes(void)
{
	static const char *codes[] = { "0", "1", "42", "255" };

	for (int i = 0; i < 4; i++) {
		pid_t pid = fork_();

		if (pid == 0)
			exec_exit(codes[i]);
		saw("exit-codes", pid, getpid(), 1, wait_for(pid));
	}
}

static void case_signals(void)
{
	int signals[] = { SIGKILL, SIGSEGV, SIGTERM, SIGRTMIN + 3 };

	for (int i = 0; i < 4; i++) {
		pid_t pid = fork_();

		if (pid == 0) {
			struct rlimit none = { 0, 0 };

			setrlimit(RLIMIT_CORE, &none);
			kill(getpid(), signals[i]);
			pause();
		}
		saw("signals", pid, getpid(), 0, wait_for(pid));
	}
}

/* The grandchild outlives its parent and is adopted; a subreaper makes the adopter known. */
static void case_daemon(void)
{
	int pids[2];
	pid_t middle, daemon;
	char more[32];
	int status;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || pipe(pids))
		die("daemon");
	middle = fork_();
	if (middle == 0) {
		middle = getpid();
		daemon = fork_();
		if (daemon == 0) {
			while (getppid() == middle)
				usleep(1000);
			_exit(8);
		}
		setsid();
		if (write(pids[1], &daemon, sizeof(daemon)) != sizeof(daemon))
			_exit(97);
		_exit(0);
	}
	status = wait_for(middle);
	saw("daemon-middle", middle, getpid(), 0, status);
	if (read(pids[0], &daemon, sizeof(daemon)) != sizeof(daemon))
		die("read");
	status = wait_for(daemon);
	snprintf(more, sizeof(more), ",\"born_to\":%d", middle);
	saw_more("daemon", daemon, getpid(), 0, status, more);
}

/* Dumps core, if this machine does. */
static void case_core(void)
{
	char dir[] = "/tmp/worker-core-XXXXXX", name[64];
	struct rlimit limit;
	pid_t pid;

	if (!mkdtemp(dir) || getrlimit(RLIMIT_CORE, &limit))
		die("core");
	pid = fork_();
	if (pid == 0) {
		limit.rlim_cur = limit.rlim_max;
		if (chdir(dir) || setrlimit(RLIMIT_CORE, &limit))
			_exit(97);
		abort();
	}
	saw("core", pid, getpid(), 0, wait_for(pid));
	snprintf(name, sizeof(name), "%s/core", dir);
	unlink(name);
	snprintf(name, sizeof(name), "%s/core.%d", dir, pid);
	unlink(name);
	rmdir(dir);
}

static void comm_is(const char *name, const char *comm)
{
	char more[64] = ",\"comm_hex\":\"";
	int len = strlen(more);
	pid_t pid = fork_();

	if (pid == 0) {
		prctl(PR_SET_NAME, comm);
		_exit(0);
	}
	for (const char *c = comm; *c; c++)
		len += sprintf(more + len, "%02x", (unsigned char)*c);
	strcpy(more + len, "\"");
	saw_more(name, pid, getpid(), 0, wait_for(pid), more);
}

static void case_hostile_comm(void)
{
	comm_is("comm-escape", "\x1b[2J\x1b[H\n\"\\");
	comm_is("comm-not-utf8", "\xff\xfe\xc3(ab");
}

static void *leave_together(void *arg)
{
	if (gettid_() != getpid())
		share_tid();
	pthread_barrier_wait(arg);
	syscall(SYS_exit, 0);
	return NULL;
}

/* Two threads end at the same instant, each of them maybe the last of its process. */
static void case_together(void)
{
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork_();

		if (pid == 0) {
			static pthread_barrier_t barrier;
			pthread_t thread;

			pthread_barrier_init(&barrier, NULL, 2);
			pthread_create(&thread, NULL, leave_together, &barrier);
			leave_together(&barrier);
		}
		saw("together", pid, getpid(), 0, wait_for(pid));
	}
}

static void *end_on_word(void *told)
{
	((int *)told)[0] = gettid_();
	while (!__atomic_load_n(&((int *)told)[1], __ATOMIC_RELAXED))
		usleep(1000);
	return NULL;
}

/* A thread ends while the leader is stopped for a tracer: then the leader's exit_code is no exit's,
 * until the tracer waits for the stop. */
static void case_ptrace(void)
{
	int *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char task[64];
	pid_t pid;

	if (told == MAP_FAILED)
		die("mmap");
	pid = fork_();
	if (pid == 0) {
		pthread_t thread;

		if (ptrace(PTRACE_TRACEME, 0, 0, 0))
			_exit(97);
		pthread_create(&thread, NULL, end_on_word, told);
		while (!__atomic_load_n(&told[0], __ATOMIC_RELAXED))
			usleep(1000);
		raise(SIGSTOP);
		pthread_join(thread, NULL);
		_exit(0);
	}
	if (waitid(P_PID, pid, &(siginfo_t){}, WSTOPPED | WNOWAIT))
		die("waitid");
	snprintf(task, sizeof(task), "/proc/%d/task/%d", pid, told[0]);
	told[1] = 1;
	while (!access(task, F_OK))
		usleep(1000);
	wait_for(pid); /* the stop */
	if (ptrace(PTRACE_CONT, pid, 0, 0))
		die("ptrace");
	shared->tids[shared->count++] = told[0];
	saw("ptrace", pid, getpid(), 0, wait_for(pid));
}

#define SPLICES 4

/* Splices from an empty pipe: they can't be polled for, so that each blocks in a thread that the
 * kernel makes for it. */
static int io_uring_child(void)
{
	struct io_uring_params params = {};
	unsigned int *tail, *array;
	struct io_uring_sqe *sqes;
	struct dirent *entry;
	int ring, fds[2], null = open("/dev/null", O_WRONLY);
	char *queue;
	DIR *tasks;

	ring = syscall(SYS_io_uring_setup, SPLICES, &params);
	if (ring < 0)
		return 77;
	queue = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(*array),
		     PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, params.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		    ring, IORING_OFF_SQES);
	if (queue == MAP_FAILED || sqes == MAP_FAILED || pipe(fds))
		return 97;
	tail = (void *)(queue + params.sq_off.tail);
	array = (void *)(queue + params.sq_off.array);
	for (int i = 0; i < SPLICES; i++) {
		sqes[i] = (struct io_uring_sqe){ .opcode = IORING_OP_SPLICE,
						 .flags = IOSQE_ASYNC,
						 .fd = null,
						 .off = -1,
						 .splice_off_in = -1,
						 .splice_fd_in = fds[0],
						 .len = 1 };
		array[i] = i;
	}
	__atomic_store_n(tail, SPLICES, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, SPLICES, 0, 0, NULL, 0) != SPLICES)
		return 97;
	while (shared->count < SPLICES) {
		usleep(1000);
		shared->count = 0;
		tasks = opendir("/proc/self/task");
		while (tasks && (entry = readdir(tasks)))
			if (atoi(entry->d_name) && atoi(entry->d_name) != getpid())
				shared->tids[shared->count++] = atoi(entry->d_name);
		closedir(tasks);
	}
	if (write(fds[1], "....", SPLICES) != SPLICES ||
	    syscall(SYS_io_uring_enter, ring, 0, SPLICES, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return 97;
	return 0;
}

static int io_uring(void)
{
	pid_t pid = fork_();
	int status;

	if (pid == 0)
		_exit(io_uring_child());
	status = wait_for(pid);
	if (WEXITSTATUS(status) == 77)
		return 77;
	saw("io-uring", pid, getpid(), 0, status);
	return 0;
}

static void *become(void *command)
{
	truth("%d\n", gettid_());
	execvp(*(char **)command, command);
	die("execvp");
	return NULL;
}

static void thread_execs(char **command)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, become, command))
		die("pthread_create");
	for (;;)
		pause();
}

/* As sandboxes that know no BPF do. */
static void no_bpf(char **command)
{
	struct sock_filter deny[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(deny) / sizeof(deny[0]), deny };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		die("seccomp");
	execv(command[0], command);
	die(command[0]);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "fork", case_fork },
	{ "vfork", case_vfork },
	{ "fork-exec", case_fork_exec },
	{ "exec-twice", case_exec_twice },
	{ "exec-from-thread", case_exec_from_thread },
	{ "leader-first", case_leader_first },
	{ "threads", case_threads },
	{ "threads-fail", case_threads_fail },
	{ "clone-parent", case_clone_parent },
	{ "clone-parent-thread", case_clone_parent_thread },
	{ "exit-codes", case_exit_codes },
	{ "signals", case_signals },
	{ "core", case_core },
	{ "daemon", case_daemon },
	{ "hostile-comm", case_hostile_comm },
	{ "together", case_together },
	{ "ptrace", case_ptrace },
	{ "pid-namespace", case_pid_namespace },
};

#include "costs.h"
#include "deaths.h"
#include "fexecs.h"

/* The least that there is: CPU time, as others run, too. */
static int system_calls(long count)
{
	struct timespec before, after;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (long i = 0; i < count; i++)
		syscall(SYS_getppid);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	truth("{\"ns_per_call\":%.1f}\n",
	      ((after.tv_sec - before.tv_sec) * 1e9 + (after.tv_nsec - before.tv_nsec)) / count);
	return 0;
}

static int into_cgroup(const char *dir)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pid;

	if (fd < 0)
		die("open");
	args.cgroup = fd;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		die("clone3");
	if (!pid)
		exec_exit("0");
	saw("into-cgroup", pid, getpid(), 1, wait_for(pid));
	return 0;
}

int main(int argc, char **argv)
{
	self = "/proc/self/exe";
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	if (argc == 3 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "become"))
		return setuid(atoi(argv[2])) ? 99 : 0;
	if (argc == 3 && !strcmp(argv[1], "exec-again"))
		exec_exit(argv[2]);
	if (argc >= 3 && !strcmp(argv[1], "no-bpf"))
		no_bpf(argv + 2);
	if (argc >= 3 && !strcmp(argv[1], "thread-execs"))
		thread_execs(argv + 2);
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "storm")) {
		program = argv[5];
		return storm(argv[2], atol(argv[3]), atol(argv[4]));
	}
	if (argc == 4 && !strcmp(argv[1], "sleepers"))
		return sleepers(atol(argv[2]), argv[3]);
	if (argc == 4 && !strcmp(argv[1], "same-pid"))
		return same_pid(atoi(argv[2]), atol(argv[3]));
	if (argc == 4 && !strcmp(argv[1], "tally"))
		return tally(atol(argv[2]), atol(argv[3]));
	if (argc == 2 && !strcmp(argv[1], "lineages"))
		return lineages(0);
	if (argc == 3 && !strcmp(argv[1], "lineages") && !strcmp(argv[2], "stay"))
		return lineages(1);
	if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(atol(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "system-calls"))
		return system_calls(atol(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "into-cgroup"))
		return into_cgroup(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "deaths"))
		return deaths();
	if (argc == 3 && !strcmp(argv[1], "failed-execs"))
		return failed_execs(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "io-uring"))
		return io_uring();
	if (argc == 3 && !strcmp(argv[1], "costs"))
		return costs(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "spend"))
		return spend(atol(argv[2]), atol(argv[3]), atoi(argv[4]));
	if (argc == 2 && !strcmp(argv[1], "zombie"))
		return zombie();
	if (argc == 2 && !strcmp(argv[1], "unreaped"))
		return unreaped();
	if (argc == 2 && !strcmp(argv[1], "usage"))
		return usage();
	if (argc == 3 && !strcmp(argv[1], "case")) {
		int all = !strcmp(argv[2], "all"), found = 0;

		for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			if (all || !strcmp(argv[2], cases[i].name)) {
				found = 1;
				cases[i].run();
			}
		if (found)
			return 0;
	}
	fprintf(stderr, "usage: worker storm KIND COUNT WORKERS [PROGRAM] | sleepers COUNT PROGRAM"
			" | same-pid PID COUNT | tally COUNT WORKERS | lineages [stay] | hold COUNT"
			" | case NAME | deaths | costs DIR | zombie | unreaped | usage"
			" | failed-execs DIR | system-calls COUNT | into-cgroup DIR"
			" | io-uring | thread-execs COMMAND... | exit CODE | no-bpf COMMAND...\n");
	return 2;
}
