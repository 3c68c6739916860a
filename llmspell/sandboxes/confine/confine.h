/* Applies a confinement plan to the calling process.
 *
 * The plan is a binary blob computed by llmspell/platform/linux/plan.py, which documents its format.
 * Every mechanism is tried and reported; one that the kernel refuses is recorded as missing and never fatal.
 * Whether a run may start with what was achieved is decided by the supervisor, from the effects. */
#ifndef LLMSPELL_CONFINE_H
#define LLMSPELL_CONFINE_H

#include <stddef.h>
#include <stdint.h>

/* Parses and copies the plan. 0, or -1 when it is not exactly a plan. */
int confine_load(const uint8_t *plan, size_t size);

/* Descriptors, session, limits, namespaces, early drop. Returns 0 in the process that goes on, -1 on error.
 * With a process namespace the original process stays as waiter, mirrors the child's end and never returns. */
int confine_stage1(void);

/* Late drop, empty root, Landlock, seccomp, then tries every forbidden effect. 0, or -1: refuse to run. */
int confine_stage2(void);

/* A zygote: everything is loaded, the plan says so, stage 1 is done. Empties the root for all children.
 * 0, or -1: be no zygote. */
int confine_zygote_prepare(void);

/* What a runtime with locks of its own wants called: before each fork, after it in the zygote, and in the child. */
void confine_zygote_around_fork(void (*before)(void), void (*in_zygote)(void), void (*in_child)(void));

/* Serves fork orders from descriptor 3 (see confine_zygote.c) until it closes; then the process ends. Returns 0 in
 * each child, whose descriptor 3 is now its own channel: its plan is the first frame there, and stage 2 its first
 * act. -1 when this process can't serve. */
int confine_zygote_serve(void);

/* Stage 1 was done by the launcher whose place this program took. */
int confine_is_stage2_only(void);

/* The bound that the loaded plan sets on a resource of setrlimit(2); UINT64_MAX when it sets none. */
uint64_t confine_limit(uint32_t resource);

/* What failed, as "step: ERRNO text". Never NULL. */
const char *confine_error(void);

/* After stage 2: {"layers":[..],"effects":{"files":true,..}}, the `achieved` of a worker's hello. */
const char *confine_report_json(void);

/* The same and why: ..,"missing":{layer: reason},"leaks":[probe that was not refused]}, for doctor. */
const char *confine_details_json(void);

#endif
