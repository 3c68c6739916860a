/* SOURCES: confine.c confine_stage1.c confine_stage2.c confine_effects.c confine_zygote.c (always linked together; launch.c only for the
 * launcher)
 *
 * The plan's parser, the report, and the state that both stages share. */
#define _GNU_SOURCE
#include "confine_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum record { RECORD_BASE = 1, RECORD_LIMIT, RECORD_KEEP_FD, RECORD_PATH, RECORD_FILTER };
enum { MAGIC = 0x4e50534c, VERSION = 1, HEADER_SIZE = 8, RECORD_HEADER = 8, BASE_SIZE = 32 };
enum { FILTER_INSTRUCTION = 8, FILTER_MAX = 4096, PLAN_MAX = 1 << 20 };

static const char *const layer_names[LAYER_COUNT] = {
    "fds",     "session",  "rlimits",    "userns",   "netns",          "pidns",    "ipcns",
    "utsns",   "mntns",    "cgroupns",   "uid",      "groups",         "caps",     "no_new_privs",
    "parent_death", "undumpable", "empty_root", "landlock", "landlock_scope", "seccomp", "subreaper",
};
static const char *const effect_names[EFFECT_COUNT] = {"files", "network", "processes", "spawn", "privilege"};

struct plan confine_plan;
struct handover confine_state;
int confine_lifeline = -1;
struct effects confine_effects;

static uint8_t *plan_copy;
static char error_text[160] = "no error";

bool confine_wants(enum layer layer) { return (confine_plan.wanted >> layer) & 1u; }

void confine_achieved(enum layer layer) {
    confine_state.achieved |= 1u << layer;
    confine_state.reasons[layer] = 0;
}

void confine_missing(enum layer layer, int error) {
    confine_state.achieved &= ~(1u << layer);
    confine_state.reasons[layer] = error ? error : EIO;
}

int confine_fail(const char *step) {
    int error = errno;
    snprintf(error_text, sizeof error_text, "%s: %s", step, strerror(error));
    return -1;
}

int confine_fail_text(const char *text) {
    snprintf(error_text, sizeof error_text, "%s", text);
    return -1;
}

int confine_is_stage2_only(void) { return confine_plan.stages == STAGE_SECOND; }

const char *confine_error(void) { return error_text; }

static uint32_t read_u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t read_u64(const uint8_t *at) { return read_u32(at) | (uint64_t)read_u32(at + 4) << 32; }

/* One stage, both, or a zygote's life: set up (8, also with stage 1 in the same plan) and each child (16). */
static bool knows_stages(uint32_t stages) {
    return stages == STAGE_FIRST || stages == STAGE_SECOND || stages == (STAGE_FIRST | STAGE_SECOND) ||
           stages == STAGE_ZYGOTE || stages == (STAGE_FIRST | STAGE_ZYGOTE) || stages == STAGE_CHILD;
}

static bool parse_base(struct plan *plan, const uint8_t *body, size_t size) {
    if (size != BASE_SIZE || plan->stages)
        return false;
    plan->stages = read_u32(body);
    plan->wanted = read_u32(body + 4);
    plan->probe = read_u32(body + 8);
    plan->drop_stage = read_u32(body + 12);
    plan->uid = read_u32(body + 16);
    plan->gid = read_u32(body + 20);
    plan->parent_pid = read_u32(body + 24);
    plan->handover = read_u32(body + 28);
    if (!knows_stages(plan->stages) || plan->wanted >> LAYER_COUNT)
        return false;
    if (plan->probe > 2 || plan->handover > 1 || plan->drop_stage > 2)
        return false;
    /* Leaving root for root would be no drop, and (uid_t)-1 means "unchanged" to setresuid. */
    if (plan->drop_stage && (!plan->uid || !plan->gid || plan->uid == UINT32_MAX || plan->gid == UINT32_MAX))
        return false;
    return true;
}

static bool parse_path(struct plan *plan, const uint8_t *body, size_t size) {
    if (size < 6 || plan->path_count == MAX_PATHS || body[size - 1])
        return false;
    uint32_t writable = read_u32(body);
    const char *path = (const char *)body + 4;
    if (writable > 1 || path[0] != '/' || strlen(path) != size - 5)
        return false;
    plan->paths[plan->path_count++] = (struct plan_path){path, writable};
    return true;
}

static bool parse_record(struct plan *plan, uint32_t type, const uint8_t *body, size_t size) {
    switch (type) {
    case RECORD_BASE:
        return parse_base(plan, body, size);
    case RECORD_LIMIT:
        if (size != 12 || plan->limit_count == MAX_LIMITS || read_u32(body) > 63)
            return false;
        plan->limits[plan->limit_count++] = (struct plan_limit){read_u32(body), read_u64(body + 4)};
        return true;
    case RECORD_KEEP_FD:
        if (size != 4 || plan->kept_count == MAX_KEPT_FDS || read_u32(body) <= CHANNEL_FD || read_u32(body) > 65535)
            return false;
        plan->kept_fds[plan->kept_count++] = read_u32(body);
        return true;
    case RECORD_PATH:
        return parse_path(plan, body, size);
    case RECORD_FILTER:
        if (plan->filter || !size || size % FILTER_INSTRUCTION || size / FILTER_INSTRUCTION > FILTER_MAX)
            return false;
        plan->filter = body;
        plan->filter_size = size;
        return true;
    default:
        return false;
    }
}

static bool parse(struct plan *plan, const uint8_t *bytes, size_t size) {
    if (size < HEADER_SIZE || read_u32(bytes) != MAGIC || read_u32(bytes + 4) != VERSION)
        return false;
    size_t at = HEADER_SIZE;
    while (at < size) {
        if (size - at < RECORD_HEADER)
            return false;
        uint32_t type = read_u32(bytes + at), length = read_u32(bytes + at + 4);
        at += RECORD_HEADER;
        if (length > size - at || !parse_record(plan, type, bytes + at, length))
            return false;
        at += length;
    }
    if (!plan->stages)
        return false;
    /* A plan that wants a filter and carries none must not pass as one that wants none. */
    bool filter_wanted = (plan->stages & (STAGE_SECOND | STAGE_CHILD)) && (plan->wanted >> LAYER_SECCOMP & 1u);
    return filter_wanted == (plan->filter != NULL);
}

static int read_handover(void) {
    struct handover received;
    ssize_t got = read(HANDOVER_FD, &received, sizeof received);
    if (got != (ssize_t)sizeof received)
        return got < 0 ? confine_fail("read of the launcher's report") : confine_fail_text("the launcher left no report");
    confine_state = received;
    if (received.has_waiter)
        confine_lifeline = HANDOVER_FD;
    else
        close(HANDOVER_FD);
    return 0;
}

int confine_load(const uint8_t *bytes, size_t size) {
    struct plan plan = {0};
    if (!bytes || size > PLAN_MAX)
        return confine_fail_text("plan: no bytes, or too many");
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return confine_fail("malloc of the plan");
    memcpy(copy, bytes, size);
    if (!parse(&plan, copy, size)) {
        free(copy);
        return confine_fail_text("plan: malformed");
    }
    free(plan_copy);
    plan_copy = copy;
    confine_plan = plan;
    if ((plan.stages == STAGE_SECOND || plan.stages == STAGE_ZYGOTE) && plan.handover)
        return read_handover();
    return 0;
}

uint64_t confine_limit(uint32_t resource) {
    uint64_t bound = UINT64_MAX;
    for (size_t index = 0; index < confine_plan.limit_count; index++)
        if (confine_plan.limits[index].resource == resource && confine_plan.limits[index].value < bound)
            bound = confine_plan.limits[index].value;
    return bound;
}

struct text {
    char bytes[4096];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t room = sizeof text->bytes - text->length;
    int written = vsnprintf(text->bytes + text->length, room, format, arguments);
    va_end(arguments);
    if (written > 0 && (size_t)written < room)
        text->length += (size_t)written;
}

static void append_layers_and_effects(struct text *text) {
    const char *comma = "";
    append(text, "{\"layers\":[");
    for (int layer = 0; layer < LAYER_COUNT; layer++)
        if (confine_state.achieved >> layer & 1u) {
            append(text, "%s\"%s\"", comma, layer_names[layer]);
            comma = ",";
        }
    append(text, "],\"effects\":{");
    for (int effect = 0; effect < EFFECT_COUNT; effect++)
        append(text, "%s\"%s\":%s", effect ? "," : "", effect_names[effect],
               confine_effects.held[effect] ? "true" : "false");
    append(text, "}");
}

const char *confine_report_json(void) {
    static struct text text;
    text.length = 0;
    append_layers_and_effects(&text);
    append(&text, "}");
    return text.bytes;
}

const char *confine_details_json(void) {
    static struct text text;
    const char *comma = "";
    text.length = 0;
    append_layers_and_effects(&text);
    append(&text, ",\"missing\":{");
    for (int layer = 0; layer < LAYER_COUNT; layer++)
        if (confine_state.reasons[layer]) {
            append(&text, "%s\"%s\":\"%s\"", comma, layer_names[layer], strerror(confine_state.reasons[layer]));
            comma = ",";
        }
    append(&text, "},\"leaks\":[");
    for (size_t leak = 0; leak < confine_effects.leak_count; leak++)
        append(&text, "%s\"%s\"", leak ? "," : "", confine_effects.leaks[leak]);
    append(&text, "]}");
    return text.bytes;
}
