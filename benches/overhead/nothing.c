// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * The program that storms exec: one page, no libc, so that the exec itself is what is measured.
 * With an argument it waits for ever.
 *
 *   clang -O2 -static -nostdlib -o nothing nothing.c
 */
#ifdef __x86_64__
__asm__(".globl _start\n"
	"_start:\n"
	"	cmpq $1, (%rsp)\n" /* argc */
	"	je 2f\n"
	"1:	movl $34, %eax\n" /* pause */
	"	syscall\n"
	"	jmp 1b\n"
	"2:	xorl %edi, %edi\n"
	"	movl $231, %eax\n" /* exit_group */
	"	syscall\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n"
	"_start:\n"
	"	ldr x0, [sp]\n" /* argc */
	"	cmp x0, #1\n"
	"	b.eq 2f\n"
	"1:	mov x0, #0\n"
	"	mov x1, #0\n"
	"	mov x2, #0\n"
	"	mov x3, #0\n"
	"	mov x8, #73\n" /* ppoll of nothing, for ever */
	"	svc #0\n"
	"	b 1b\n"
	"2:	mov x0, #0\n"
	"	mov x8, #94\n" /* exit_group */
	"	svc #0\n");
#else
#error "write down its exit_group and pause"
#endif
