/* Shared by the parts of confine; nobody else includes it. */
#ifndef LLMSPELL_CONFINE_INTERNAL_H
#define LLMSPELL_CONFINE_INTERNAL_H

#include "confine.h"

#include <stdbool.h>

/* Bit numbers in the plan's `wanted` and in the report: the same order as LAYERS in plan.py. */
enum layer {
    LAYER_FDS,
    LAYER_SESSION,
    LAYER_RLIMITS,
    LAYER_USERNS,
    LAYER_NETNS,
    LAYER_PIDNS,
    LAYER_IPCNS,
    LAYER_UTSNS,
    LAYER_MNTNS,
    LAYER_CGROUPNS,
    LAYER_UID,
    LAYER_GROUPS,
    LAYER_CAPS,
    LAYER_NO_NEW_PRIVS,
    LAYER_PARENT_DEATH,
    LAYER_UNDUMPABLE,
    LAYER_EMPTY_ROOT,
    LAYER_LANDLOCK,
    LAYER_LANDLOCK_SCOPE,
    LAYER_SECCOMP,
    LAYER_SUBREAPER,
    LAYER_COUNT
};

enum effect { EFFECT_FILES, EFFECT_NETWORK, EFFECT_PROCESSES, EFFECT_SPAWN, EFFECT_PRIVILEGE, EFFECT_COUNT };

/* Bits of a plan's `stages`. */
enum { STAGE_FIRST = 1, STAGE_SECOND = 2, STAGE_ZYGOTE = 8, STAGE_CHILD = 16 };

enum {
    CHANNEL_FD = 3,
    /* Where a launcher leaves its report and lifeline for the program that it becomes. */
    HANDOVER_FD = 4,
    /* A pipe on which the waiter tells the supervisor what the worker used, if the supervisor asks. */
    USAGE_FD = 63,
    MAX_LIMITS = 16,
    MAX_KEPT_FDS = 16,
    MAX_PATHS = 128,
    MAX_LEAKS = 48,
};

struct plan_limit {
    uint32_t resource;
    uint64_t value;
};

struct plan_path {
    const char *path;
    bool writable;
};

struct plan {
    uint32_t stages; /* STAGE_ bits that it holds */
    uint32_t wanted; /* 1 << enum layer */
    uint32_t probe;  /* 1: effects are tried and reported; 2: and uid 0 is a leak */
    uint32_t drop_stage; /* 0: the uid stays; 1 or 2: the stage that leaves it */
    uint32_t uid, gid;
    uint32_t parent_pid;
    uint32_t handover; /* stage 1 hands over to an exec'ed program */
    struct plan_limit limits[MAX_LIMITS];
    size_t limit_count;
    uint32_t kept_fds[MAX_KEPT_FDS + 1]; /* and USAGE_FD */
    size_t kept_count;
    struct plan_path paths[MAX_PATHS];
    size_t path_count;
    const uint8_t *filter;
    size_t filter_size;
};

/* What stage 1 tells stage 2, through a pipe when an exec lies between them. */
struct handover {
    uint32_t achieved;
    uint32_t in_pidns;
    uint32_t has_waiter;
    int32_t reasons[LAYER_COUNT]; /* errno of a layer that the kernel refused, 0 when it was not tried */
};

struct effects {
    bool held[EFFECT_COUNT];
    const char *leaks[MAX_LEAKS]; /* the probes that were not refused */
    size_t leak_count;
};

extern struct effects confine_effects;
extern struct plan confine_plan;
extern struct handover confine_state;
/* Read end of a pipe whose write end the waiter holds: hangs up when the waiter dies. -1: there is no waiter. */
extern int confine_lifeline;

bool confine_wants(enum layer layer);
void confine_achieved(enum layer layer);
void confine_missing(enum layer layer, int error);
/* Sets the error text from errno and returns -1. */
int confine_fail(const char *step);
int confine_fail_text(const char *text);

/* Leaves the uid and keeps only the capabilities in `keep` (bits 0..63), also across exec when asked. */
void confine_drop_identity(void);
void confine_drop_caps(uint64_t keep, bool across_exec);
/* Parent death signal and the check that closes the gap before it was set. -1: the parent is gone. */
int confine_bind_to_parent(int signal_number);

/* Pieces of the stages that a zygote and its children use as well. */
void confine_set_limits(void);
void confine_enter_session(void);
int confine_close_between(unsigned first, unsigned last);
void confine_enter_empty_root(void);
bool confine_is_single_threaded(void);

/* In a child: the zygote that forked it, by its number in the namespace that both are in. 0: no zygote's child. */
extern int confine_zygote_pid;
/* What only a zygote's child does, before everything else of stage 2. */
void confine_begin_child(void);

/* Tries every forbidden thing and fills confine_effects. */
void confine_try_effects(void);

#endif
