/* quorum_server.c: one server of an ensemble as text (QuorumPeer.QuorumServer, ConfigUtils of
 * 3.9.5).
 *
 *   address[|address...][;client]      address = host:quorumPort:electionPort[:role]
 *                                      client  = [host:]port
 *
 * An IPv6 host stands in brackets. Java keeps an IP address as a number and writes it out again its
 * own way: IPv6 without "::", IPv4 in IPv6 as IPv4. We bring it into that form when it is read, so
 * that equal addresses are equal strings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "wire/quorum.h"
#include "wire/quorum_internal.h"

enum {
    PARTS_MAX = 5, /* one more than there may be */
    PORT_MAX = 65535,
    IP6_BYTES = 16,
    IP6_WORDS = 8,
};

/* Reads words "a:b:c", at most IP6_WORDS; the last may be an IPv4 address and counts for two. */
static bool parse_words(struct slice text, uint16_t words[IP6_WORDS], size_t *ret_count)
{
    size_t count = 0;
    while (text.len > 0) {
        bool more = memchr(text.ptr, ':', text.len) != NULL;
        struct slice word = text_cut(&text, ':');
        if (more && text.len == 0)
            return false; /* a colon at the end */
        if (count < IP6_WORDS - 1 && text.len == 0 && memchr(word.ptr, '.', word.len) != NULL) {
            int64_t byte[4];
            for (size_t i = 0; i < 4; i++)
                if (!text_number(text_cut(&word, '.'), 10, 255, &byte[i]))
                    return false;
            if (word.len > 0)
                return false;
            words[count++] = (uint16_t)(byte[0] << 8 | byte[1]);
            words[count++] = (uint16_t)(byte[2] << 8 | byte[3]);
            continue;
        }
        int64_t value;
        if (count == IP6_WORDS || word.len > 4 || !text_number(word, 16, UINT16_MAX, &value))
            return false;
        words[count++] = (uint16_t)value;
    }
    *ret_count = count;
    return true;
}

static bool parse_ip6(struct slice text, uint16_t words[IP6_WORDS])
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] != ':' || text.ptr[i + 1] != ':')
            continue;
        uint16_t tail[IP6_WORDS];
        size_t before, behind;
        if (!parse_words(slice_of(text.ptr, i), words, &before) ||
            !parse_words(slice_from(text, i + 2), tail, &behind) || before + behind >= IP6_WORDS)
            return false;
        memset(words + before, 0, (IP6_WORDS - before) * sizeof *words);
        memcpy(words + IP6_WORDS - behind, tail, behind * sizeof *words);
        return true;
    }
    size_t count;
    return parse_words(text, words, &count) && count == IP6_WORDS;
}

/* The host as Java writes it, in memory of its own. */
static char *canonical_host(struct slice host)
{
    uint16_t w[IP6_WORDS];
    char text[IP6_WORDS * sizeof "ffff:"];
    if (memchr(host.ptr, ':', host.len) != NULL && parse_ip6(host, w)) {
        bool mapped = w[5] == 0xffff && (w[0] | w[1] | w[2] | w[3] | w[4]) == 0;
        if (mapped)
            snprintf(text, sizeof text, "%d.%d.%d.%d", w[6] >> 8, w[6] & 255, w[7] >> 8,
                     w[7] & 255);
        else
            snprintf(text, sizeof text, "%x:%x:%x:%x:%x:%x:%x:%x", w[0], w[1], w[2], w[3], w[4],
                     w[5], w[6], w[7]);
        host = slice_str(text);
    }
    char *copy = mem_alloc(host.len + 1);
    memcpy(copy, host.ptr, host.len);
    copy[host.len] = 0;
    return copy;
}

/* What can stand in a host is what can be written and read again. */
static bool host_is_valid(struct slice host)
{
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] <= ' ' || host.ptr[i] == 0x7f || strchr("[]|;\\", host.ptr[i]) != NULL)
            return false;
    return host.len > 0;
}

/* Splits at colons, outside of brackets (ConfigUtils.getHostAndPort). Returns the number of parts,
 * PARTS_MAX also for more, 0 if a bracket is not closed. */
static size_t split_parts(struct slice text, struct slice parts[PARTS_MAX])
{
    size_t count = 0;
    text = text_without_tail(text, ':');
    if (text.len > 0 && text.ptr[0] == '[') {
        const uint8_t *end = memchr(text.ptr, ']', text.len);
        size_t at = end != NULL ? (size_t)(end - text.ptr) : text.len;
        if (end == NULL || (at + 1 < text.len && text.ptr[at + 1] != ':'))
            return 0;
        parts[count++] = slice_of(text.ptr + 1, at - 1);
        text = slice_from(text, at + 1 < text.len ? at + 2 : text.len);
    }
    while (text.len > 0 && count < PARTS_MAX)
        parts[count++] = text_cut(&text, ':');
    return count;
}

static int parse_role(struct slice text, bool *ret_observer, struct err *err)
{
    static const char *const ROLES[] = {"participant", "observer"};
    text = text_trim(text);
    for (size_t role = 0; role < 2; role++) {
        size_t at = 0;
        /* ASCII letters: bit 5 is lower case. */
        while (at < text.len && (text.ptr[at] | 0x20) == (uint8_t)ROLES[role][at] &&
               ROLES[role][at] != 0)
            at++;
        if (at == text.len && ROLES[role][at] == 0) {
            *ret_observer = role == 1;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "role '%.*s' must be participant or observer", (int)text.len,
                   (const char *)text.ptr);
}

static int add_address(struct quorum_server *s, struct slice host, int quorum_port,
                       int election_port, struct err *err)
{
    struct quorum_address a = {canonical_host(host), quorum_port, election_port};
    const char *wrong = NULL;
    if (s->address_count == QUORUM_ADDRESSES_MAX)
        wrong = "too many addresses";
    for (size_t i = 0; i < s->address_count; i++)
        if (strcmp(s->addresses[i].host, a.host) == 0 &&
            (s->addresses[i].quorum_port == quorum_port ||
             s->addresses[i].election_port == election_port))
            wrong = "the same address twice";
    if (wrong != NULL) {
        free(a.host);
        return err_set(err, ERR_INVALID, "%s", wrong);
    }
    s->addresses = mem_realloc(s->addresses, (s->address_count + 1) * sizeof a);
    s->addresses[s->address_count++] = a;
    return 0;
}

/* host:port:port[:role]; *role: -1 = none named yet, all that name one must agree. */
static int parse_address(struct slice text, struct quorum_server *s, int *role, struct err *err)
{
    struct slice parts[PARTS_MAX];
    size_t count = split_parts(text, parts);
    int64_t quorum_port, election_port;
    if (count < 3 || count > 4 || !host_is_valid(parts[0]) ||
        !text_number(parts[1], 10, PORT_MAX, &quorum_port) ||
        !text_number(parts[2], 10, PORT_MAX, &election_port))
        return err_set(err, ERR_INVALID,
                       "must be host:port:port[:participant|:observer][;[address:]clientPort]");
    if (quorum_port == election_port)
        return err_set(err, ERR_INVALID, "quorum port and election port must differ");
    if (count == 4) {
        bool observer = false;
        int rc = parse_role(parts[3], &observer, err);
        if (rc < 0)
            return rc;
        if (*role >= 0 && *role != observer)
            return err_set(err, ERR_INVALID, "the addresses of a server must have one role");
        *role = observer;
    }
    return add_address(s, parts[0], (int)quorum_port, (int)election_port, err);
}

/* [host:]port */
static int parse_client(struct slice text, struct quorum_server *s, struct err *err)
{
    struct slice parts[PARTS_MAX];
    size_t count = split_parts(text, parts);
    int64_t port;
    if (count < 1 || count > 2 || !text_number(parts[count - 1], 10, PORT_MAX, &port) ||
        (count == 2 && !host_is_valid(parts[0])))
        return err_set(err, ERR_INVALID, "behind the ';' must stand [address:]clientPort");
    s->client_host = canonical_host(count == 2 ? parts[0] : slice_str("0.0.0.0"));
    s->client_port = (int)port;
    return 0;
}

/* Java writes the addresses in the order of their hosts. */
static void sort_addresses(struct quorum_server *s)
{
    for (size_t i = 1; i < s->address_count; i++) {
        struct quorum_address a = s->addresses[i];
        size_t at = i;
        for (; at > 0 && strcmp(s->addresses[at - 1].host, a.host) > 0; at--)
            s->addresses[at] = s->addresses[at - 1];
        s->addresses[at] = a;
    }
}

int quorum_parse_server(int64_t sid, struct slice text, struct quorum_server *ret, struct err *err)
{
    if (sid < 0 || sid > QUORUM_SID_MAX)
        return err_set(err, ERR_INVALID, "the number of a server must be from 0 to %d",
                       QUORUM_SID_MAX);

    struct quorum_server s = {.sid = sid, .client_port = -1, .group = -1, .weight = 1};
    struct slice rest = text_without_tail(text_trim(text), ';');
    bool has_client = rest.len > 0 && memchr(rest.ptr, ';', rest.len) != NULL;
    struct slice addresses = text_without_tail(text_cut(&rest, ';'), '|');
    int role = -1, rc;
    do
        rc = parse_address(text_cut(&addresses, '|'), &s, &role, err);
    while (rc == 0 && addresses.len > 0);
    if (rc == 0 && has_client)
        rc = parse_client(rest, &s, err);
    if (rc < 0) {
        quorum_server_deinit(&s);
        return rc;
    }
    s.observer = role == 1;
    sort_addresses(&s);
    *ret = s;
    return 0;
}

void quorum_server_deinit(struct quorum_server *s)
{
    for (size_t i = 0; i < s->address_count; i++)
        free(s->addresses[i].host);
    free(s->addresses);
    free(s->client_host);
}

static void put_host(const char *host, struct buf *out)
{
    buf_printf(out, strchr(host, ':') != NULL ? "[%s]" : "%s", host);
}

void quorum_format_server(const struct quorum_server *s, struct buf *out)
{
    invariant(s->address_count > 0);
    for (size_t i = 0; i < s->address_count; i++) {
        if (i > 0)
            buf_put_u8(out, '|');
        put_host(s->addresses[i].host, out);
        buf_printf(out, ":%d:%d", s->addresses[i].quorum_port, s->addresses[i].election_port);
    }
    buf_put_slice(out, slice_str(s->observer ? ":observer" : ":participant"));
    if (s->client_host != NULL) {
        buf_put_u8(out, ';');
        put_host(s->client_host, out);
        buf_printf(out, ":%d", s->client_port);
    }
}
