/* coordination_crew.c: our LiveNode among the servers.
 *
 * The smallest of them goes on with what commands began and did not end (coordination_command.c).
 * A node whose creation was not answered is found by its name; one that is of this process and not
 * the present one is nobody's, and goes. */
#include "election/coordination_internal.h"

static void failed(struct coordination *c, int rc, const char *what)
{
    c->crew.dirty = true;
    if (coord_is_passing(rc))
        return; /* the next connection asks again */
    coord_trouble(c, "%s among the servers: %s", what, caucus_error_text(rc));
    alarm_set(c, &c->crew.again, caucus_now_ns() + COORD_RETRY_MS * MS_NS);
}

static void on_created(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination *c = owner;
    (void)slot;
    c->crew.creating = false;
    if (r->rc != 0)
        failed(c, r->rc, "stand");
    else
        c->crew.dirty = true;
    crew_step(c);
}

static void create(struct coordination *c)
{
    struct seat_name name = {.serial = ++c->serial};
    struct buf data = {0};
    char prefix[SEAT_NAME_BYTES_MAX];
    memcpy(name.process, c->process, sizeof name.process);
    seat_prefix(&name, prefix);
    c->crew.serial = name.serial;
    c->crew.creating = true;
    coord_create(c, coord_path(c, "Global/LiveNodes/%s", prefix).text, coord_live_data(c, &data),
                 CAUCUS_EPHEMERAL_SEQUENTIAL, (struct coord_done){on_created, c, 0});
    buf_deinit(&data);
}

static void on_listed(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct coordination *c = owner;
    (void)slot;
    c->crew.flying = false;
    if (r->rc != 0) {
        failed(c, r->rc, "look");
        return;
    }
    uint64_t own = 0, first = UINT64_MAX;
    for (size_t i = 0; i < r->name_count; i++) {
        struct seat_name n;
        if (!seat_parse(r->names[i], &n))
            continue;
        bool ours = memcmp(n.process, c->process, sizeof n.process) == 0;
        if (ours && n.serial == c->crew.serial)
            own = n.seat;
        else if (ours)
            coord_delete(c, coord_path(c, "Global/LiveNodes/%s", r->names[i]).text,
                         (struct coord_done){coord_forget, c, 0});
        if (n.seat < first)
            first = n.seat;
    }
    if (own == 0 && !c->crew.creating)
        create(c);
    bool is_first = own != 0 && own == first;
    if (is_first != c->nation.first) {
        c->nation.first = is_first;
        coord_changed(c, -1, COORDINATION_GLOBAL);
        tasks_kick(c);
    }
    crew_step(c);
}

void crew_step(struct coordination *c)
{
    if (!coord_can_ask(c) || c->crew.flying || !c->crew.dirty || alarm_is_set(&c->crew.again))
        return;
    c->crew.dirty = false;
    c->crew.flying = true;
    coord_children(c, coord_path(c, "Global/LiveNodes").text, &c->crew.watched,
                   (struct coord_done){on_listed, c, 0});
}

static void on_fired(void *owner)
{
    struct coordination *c = owner;
    c->crew.dirty = true;
    crew_step(c);
}

static void on_again(void *owner)
{
    crew_step(owner);
}

void crew_init(struct coordination *c)
{
    c->crew.watched = (struct watched){.fired = on_fired, .owner = c};
    alarm_init(&c->crew.again, on_again, c);
    c->crew.dirty = true;
}

void crew_new_session(struct coordination *c)
{
    c->crew.serial = 0;
    c->crew.dirty = true;
    c->nation.first = false;
}
