/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into linux.uml: lets a UML kernel run on processors with AMX.
 *
 * UML 6.1 keeps 2696 bytes of extended processor state for each task, and Linux refuses a
 * PTRACE_SETREGSET of NT_X86_XSTATE that is shorter than the whole state (11008 bytes with
 * AMX) with EFAULT: the guest panics at its first task switch. Here a write that was refused
 * is laid over the state the task has now. What UML does not know (AMX tiles) stays as it
 * was, and nothing in the guest uses it: a task has to ask for tiles by arch_prctl(2) first.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Intel has defined 11008 bytes so far; the rest is room. */
#define XSTATE_MAX 65536

static unsigned char whole[XSTATE_MAX];

static long set_state(long pid, const struct iovec *part)
{
	struct iovec all = { .iov_base = whole, .iov_len = sizeof(whole) };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &all) != 0)
		return -1;
	if (part->iov_len > all.iov_len) {
		errno = EFAULT;
		return -1;
	}
	memcpy(whole, part->iov_base, part->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &all);
}

/*
 * The raw call returns what PTRACE_PEEK* read through its last argument; UML itself uses no
 * PEEK request with a result, but the C library's contract is kept.
 */
long ptrace(enum __ptrace_request request, ...)
{
	long pid, address, data, peeked = 0, result;
	va_list args;

	va_start(args, request);
	pid = va_arg(args, pid_t);
	address = va_arg(args, long);
	data = va_arg(args, long);
	va_end(args);

	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA ||
	    request == PTRACE_PEEKUSER) {
		result = syscall(SYS_ptrace, request, pid, address, &peeked);
		return result == 0 ? peeked : -1;
	}
	result = syscall(SYS_ptrace, request, pid, address, data);
	if (result != 0 && errno == EFAULT && request == PTRACE_SETREGSET &&
	    address == NT_X86_XSTATE)
		return set_state(pid, (const struct iovec *)data);
	return result;
}
