/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Execs that fail: `worker failed-execs DIR`. A line for each that must be told: who tried, what,
 * how often, and the error that the call gave back; null where nobody can know. Names and arguments
 * lie in memory that was written to, as the kernel hasn't touched what it didn't come to.
 */
#ifndef FEXECS_H
#define FEXECS_H

#include <elf.h>
#include <sys/stat.h>

static const char *fexec_dir;

/* A name in the directory, in memory of its own. */
static char *in_dir(const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", fexec_dir, name) < 0)
		die("asprintf");
	return path;
}

static char *make_file(const char *name, const void *content, size_t len, mode_t mode)
{
	char *path = in_dir(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, content, len) != (ssize_t)len || fchmod(fd, mode) || close(fd))
		die(path);
	return path;
}

static char *make_script(const char *name, const char *text, mode_t mode)
{
	return make_file(name, text, strlen(text), mode);
}

static void no_exec(const char *name, const char *filename, int error, int tried)
{
	char quoted[300] = "null", errno_[16] = "null";

	if (filename)
		snprintf(quoted, sizeof(quoted), "\"%s\"", filename);
	if (error)
		snprintf(errno_, sizeof(errno_), "%d", error);
	truth(
	    "{\"failed\":\"%s\",\"pid\":%d,\"tid\":%d,\"filename\":%s,\"errno\":%s,\"tried\":%d}\n",
	    name, getpid(), gettid_(), quoted, errno_, tried);
}

/* What the call is given besides the name: `worker exit 0`, written just now. */
static char **three(void)
{
	static char words[3][8];
	static char *list[4] = { words[0], words[1], words[2], NULL };

	strcpy(words[0], "worker");
	strcpy(words[1], "exit");
	strcpy(words[2], "0");
	return list;
}

/* A child tries this file; what happens is what its truth says. */
static void tries(const char *name, char *path)
{
	pid_t pid = fork_();

	if (!pid) {
		execve(path, three(), environ);
		no_exec(name, path, errno, 1);
		_exit(127);
	}
	wait_for(pid);
}

static void by_the_file(void)
{
	char junk[64] = "\177ELF, and nothing that belongs to it", *busy, *worker;
	char text[300];
	int fd;

	tries("missing", in_dir("missing"));
	snprintf(text, sizeof(text), "#!%s/missing\n", fexec_dir);
	tries("interpreter", make_script("script", text, 0755));
	tries("denied", make_script("denied", "#!/bin/sh\n", 0644));
	tries("format", make_script("format", "neither a script nor a program\n", 0755));
	tries("elf", make_file("elf", junk, sizeof(junk), 0755));
	tries("directory", in_dir("."));
	tries("below-a-file", in_dir("denied/x"));
	if (symlink("loop", in_dir("loop")))
		die("symlink");
	tries("loop", in_dir("loop"));
	busy = make_script("busy", "#!/bin/false\n", 0755);
	fd = open(busy, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die(busy);
	tries("busy", busy);
	close(fd);
	worker = in_dir("worker");
	if (symlink(realpath(self, NULL), worker))
		die(worker);
	tries("works", worker);
}

static void by_the_call(void)
{
	char *nothing = malloc(1), relative[16], name[64];
	/* MAX_ARG_STRLEN of include/uapi/linux/binfmts.h is 32 pages. */
	size_t len = 40 * sysconf(_SC_PAGESIZE);
	char *large = malloc(len + 1), *longest = malloc(5001);
	char *args[] = { large, NULL };
	int fd, dir;

	*(volatile char *)nothing = 0;
	strcpy(relative, "missing");
	memset(large, 'x', len);
	large[len] = 0;
	memset(longest, 'y', 5000);
	longest[5000] = 0;
	if (!fork_()) {
		execve(in_dir("worker"), args, environ);
		no_exec("arguments", in_dir("worker"), errno, 1);
		_exit(0);
	}
	wait_for(-1);
	if (!fork_()) {
		execve(longest, three(), environ);
		no_exec("name", NULL, errno, 1);
		_exit(0);
	}
	wait_for(-1);
	if (!fork_()) {
		execve(nothing, three(), environ);
		no_exec("no-name", "", errno, 1);
		_exit(0);
	}
	wait_for(-1);
	if (!fork_()) {
		syscall(SYS_execve, 8, three(), environ);
		no_exec("nowhere", NULL, errno, 1);
		_exit(0);
	}
	wait_for(-1);

	if (!fork_()) {
		char *some[] = { strdup("a"), nothing, strdup("b"), NULL };

		execve(in_dir("missing"), some, environ);
		no_exec("nothing-among-arguments", in_dir("missing"), errno, 1);
		_exit(0);
	}
	wait_for(-1);

	fd = open(in_dir("denied"), O_RDONLY | O_CLOEXEC);
	dir = open(fexec_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dir < 0)
		die("open");
	if (!fork_()) {
		syscall(SYS_execveat, fd, nothing, three(), environ, AT_EMPTY_PATH);
		snprintf(name, sizeof(name), "/dev/fd/%d", fd);
		no_exec("descriptor", name, errno, 1);
		_exit(0);
	}
	wait_for(-1);
	if (!fork_()) {
		syscall(SYS_execveat, dir, relative, three(), environ, 0);
		snprintf(name, sizeof(name), "/dev/fd/%d/missing", dir);
		no_exec("below-a-descriptor", name, errno, 1);
		_exit(0);
	}
	wait_for(-1);
	close(fd);
	close(dir);
}

static void *tries_in_thread(void *path)
{
	execve(path, three(), environ);
	no_exec("thread", path, errno, 1);
	return NULL;
}

static void by_a_thread(void)
{
	pthread_t thread;

	if (!fork_()) {
		if (pthread_create(&thread, NULL, tries_in_thread, in_dir("missing")) ||
		    pthread_join(thread, NULL))
			die("a thread");
		_exit(0);
	}
	wait_for(-1);
}

/* The calls of 32-bit programs, whose pointers and lists of them have 4 bytes. */
static void by_32_bits(void)
{
#ifdef __x86_64__
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint32_t *list = (uint32_t *)(low + 2048);
	long result;

	if (low == MAP_FAILED)
		die("mmap");
	snprintf(low, 1024, "%s/missing", fexec_dir);
	strcpy(low + 1024, "worker");
	strcpy(low + 1032, "exit");
	strcpy(low + 1040, "0");
	for (int i = 0; i < 3; i++)
		list[i] = (uintptr_t)(low + 1024 + 8 * i);
	/* Where the kernel has no such calls the child dies, and nothing is to be told. */
	if (!fork_()) {
		asm volatile("int $0x80"
			     : "=a"(result)
			     : "a"(11), "b"(low), "c"(list), "d"(0)
			     : "memory", "r8", "r9", "r10", "r11");
		no_exec("32-bit", low, -result, 1);
		strcat(low, "-at");
		asm volatile("int $0x80"
			     : "=a"(result)
			     : "a"(358), "b"(AT_FDCWD), "c"(low), "d"(list), "S"(0), "D"(0)
			     : "memory", "r8", "r9", "r10", "r11");
		no_exec("32-bit-at", low, -result, 1);
		_exit(0);
	}
	wait_for(-1);
#endif
}

/* A child searches along so many directories; the file lies in one of them, or in none (-1). */
static void searches(const char *name, const char *file, int directories, int in, mode_t mode)
{
	char path[4096] = "", entry[300], *last = NULL;
	int len = 0;

	for (int i = 0; i < directories; i++) {
		snprintf(entry, sizeof(entry), "%s-%d", name, i);
		if (mkdir(in_dir(entry), 0755))
			die(entry);
		len += sprintf(path + len, "%s%s/%s", i ? ":" : "", fexec_dir, entry);
		snprintf(entry, sizeof(entry), "%s-%d/%s", name, i, file);
		if (i == in && mode == 0755 && symlink(realpath(self, NULL), in_dir(entry)))
			die(entry);
		if (i == in && mode != 0755)
			make_script(entry, "#!/bin/false\n", mode);
	}
	last = in_dir(entry);
	if (!fork_()) {
		setenv("PATH", path, 1);
		execvp(file, three());
		no_exec(name, last, errno, directories);
		_exit(127);
	}
	wait_for(-1);
}

static void along_the_path(void)
{
	searches("nowhere-along", "no-such", 10, -1, 0);
	searches("denied-along", "not-mine", 3, 1, 0644);
	searches("found-along", "the-worker", 10, 9, 0755);
	if (!fork_()) {
		char *first = in_dir("missing-first"), *second = in_dir("missing-second");
		int error;

		execve(first, three(), environ);
		error = errno;
		execve(second, three(), environ);
		no_exec("first", first, error, 1);
		no_exec("second", second, errno, 1);
		_exit(0);
	}
	wait_for(-1);
}

/* It loses its program before the new one turns out not to fit into memory. */
static void beyond_return(void)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segment;
	} file = {
		.segment = {
			.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_vaddr = -4096ul,
			.p_filesz = sizeof(file),
			.p_memsz = sizeof(file),
			.p_align = 4096,
		},
	};
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char *path;
	pid_t pid;
	int status;

	/* The architecture is this program's own. */
	if (self < 0 || read(self, &file.header, sizeof(file.header)) != sizeof(file.header))
		die("/proc/self/exe");
	close(self);
	file.header.e_type = ET_EXEC;
	file.header.e_phoff = sizeof(Elf64_Ehdr);
	file.header.e_phnum = 1;
	path = make_file("beyond", &file, sizeof(file), 0755);
	pid = fork_();
	if (!pid) {
		execve(path, three(), environ);
		_exit(127);
	}
	status = wait_for(pid);
	if (WIFSIGNALED(status))
		truth(
		    "{\"failed\":\"beyond\",\"pid\":%d,\"tid\":%d,\"filename\":null,\"errno\":null,"
		    "\"tried\":1}\n",
		    pid, pid);
}

static int failed_execs(const char *dir)
{
	fexec_dir = dir;
	by_the_file();
	by_the_call();
	by_a_thread();
	by_32_bits();
	along_the_path();
	beyond_return();
	return 0;
}

#endif
