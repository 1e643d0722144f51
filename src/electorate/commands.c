/* commands.c: electorate's two commands, from words to exit codes. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "canvass/files.h"
#include "caucus/caucus.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/secure.h"
#include "election/definition.h"
#include "electorate/electorate.h"
#include "electorate/progress.h"

enum {
    CONNECTIONS_DEFAULT_REST = 512,
    CONNECTIONS_DEFAULT_GRPC = 6,
    CONNECTIONS_MAX = 60000,
    IN_FLIGHT_DEFAULT = 8192,
    IN_FLIGHT_MAX = 1 << 20,
    PATIENCE_S_DEFAULT = 120,
    DURATION_S_DEFAULT = 10,
    TWICE_DEFAULT = 50,
    SEED_DEFAULT = 2024, /* of a replay; a load is another each time */
    SEED_NONE = -1,
    RETURNS_BYTES_MAX = 16 << 20,
    PATH_BYTES_MAX = 4096,
    MS_PER_S = 1000,
};

static const char help[] =
    "electorate replay ELECTION [OPTION]...   cast the votes of ELECTION/returns.csv, compare "
    "counts\n"
    "electorate load ELECTION [OPTION]...     cast votes by chance, for a time\n"
    "\n"
    "ELECTION is a folder as electiond has it; voters are those of its rolls by rule.\n"
    "  -s, --server HOSTS     HOST:PORT,... of servers, by gRPC (port 55555)\n"
    "  -r, --rest HOSTS       the same, by REST (port 9999)\n"
    "  -c, --connections N    in all (512 by REST, 6 by gRPC)\n"
    "  -n, --in-flight N      ballots under way at a time (8192; by REST one on a connection)\n"
    "      --rate N           ballots a second (as many as it takes)\n"
    "      --seed N           another order, other voters (replay: 2024, load: by chance). The "
    "same again in the same round "
    "casts\n"
    "                         nothing twice: that is how an interrupted replay goes on\n"
    "      --patience S       how long a ballot is tried again before it is given up (120)\n"
    "  -k, --key FILE         the election's master key, as servers have it: voters show "
    "credentials\n"
    "  -j, --json             one JSON object\n"
    "      --pauses FILE      a line for each time in which a state acknowledged nothing for 20 ms "
    "or more\n"
    "                         although ballots for it were under way: begin (ms since 1970), ms, "
    "state\n"
    "  -q, --quiet            no progress, no differences\n"
    "  -h, --help             this\n" SECURE_TLS_HELP "Of replay:\n"
    "      --scale N/M        so much of the returns (1/1); all sums stay exact\n"
    "      --twice N          one voter in N votes twice, the second time as in the returns (50; "
    "0: nobody)\n"
    "      --dry-run          show what would be cast\n"
    "      --no-compare       do not ask for counts at the end\n"
    "Of load:\n"
    "      --states LIST      ca,ny,... (all)\n"
    "  -d, --duration S       (10)\n"
    "\n"
    "Exit code 0: every count is that of the returns (load: nothing was refused or given up); 1: "
    "it is not;\n"
    "2: the words or files cannot be understood; 3: no server could be asked for counts.\n";

struct words {
    bool is_replay;
    const char *folder, *key;
    struct secure secure;
    const char *server, *rest, *scale, *rate, *states, *pauses;
    int64_t connections, in_flight, seed, patience_s, twice, duration_s;
    bool json, quiet, help, dry_run, no_compare, version;
};

int electorate_complain(enum electorate_exit code, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("electorate: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

/* ---- words ---- */

static int check_number(const char *name, int64_t value, int64_t min, int64_t max)
{
    if (value >= min && value <= max)
        return 0;
    return electorate_complain(ELECTORATE_USAGE,
                               "--%s: %" PRId64 " is not from %" PRId64 " to %" PRId64, name, value,
                               min, max);
}

static int check_words(struct words *w)
{
    if (w->connections == 0)
        w->connections = w->rest != NULL ? CONNECTIONS_DEFAULT_REST : CONNECTIONS_DEFAULT_GRPC;
    if (w->seed == SEED_NONE)
        w->seed = w->is_replay ? SEED_DEFAULT : (int64_t)(loop_clock_ns() & INT64_MAX);
    int code = check_number("connections", w->connections, 1, CONNECTIONS_MAX);
    if (code == 0)
        code = check_number("seed", w->seed, 0, INT64_MAX);
    if (code == 0)
        code = check_number("in-flight", w->in_flight, 1, IN_FLIGHT_MAX);
    if (code == 0)
        code = check_number("patience", w->patience_s, 1, INT32_MAX);
    if (code == 0)
        code = check_number("duration", w->duration_s, 1, INT32_MAX);
    if (code == 0)
        code = check_number("twice", w->twice, 0, INT32_MAX);
    if (code == 0 && !w->dry_run && (w->server != NULL) == (w->rest != NULL))
        code = electorate_complain(ELECTORATE_USAGE, "either --server or --rest is wanted");
    return code;
}

static int read_words(int argc, char **argv, struct words *w)
{
    *w = (struct words){.in_flight = IN_FLIGHT_DEFAULT,
                        .seed = SEED_NONE,
                        .patience_s = PATIENCE_S_DEFAULT,
                        .twice = TWICE_DEFAULT,
                        .duration_s = DURATION_S_DEFAULT,
                        .scale = "1/1"};
    const struct option options[] = {
        {'s', "server", OPTION_TEXT, &w->server},
        {'r', "rest", OPTION_TEXT, &w->rest},
        {'c', "connections", OPTION_NUMBER, &w->connections},
        {'n', "in-flight", OPTION_NUMBER, &w->in_flight},
        {0, "rate", OPTION_TEXT, &w->rate},
        {0, "seed", OPTION_NUMBER, &w->seed},
        {0, "patience", OPTION_NUMBER, &w->patience_s},
        {'k', "key", OPTION_TEXT, &w->key},
        SECURE_TLS_OPTIONS(&w->secure),
        {'j', "json", OPTION_FLAG, &w->json},
        {'q', "quiet", OPTION_FLAG, &w->quiet},
        {'h', "help", OPTION_FLAG, &w->help},
        {'v', "version", OPTION_FLAG, &w->version},
        {0, "scale", OPTION_TEXT, &w->scale},
        {0, "twice", OPTION_NUMBER, &w->twice},
        {0, "dry-run", OPTION_FLAG, &w->dry_run},
        {0, "no-compare", OPTION_FLAG, &w->no_compare},
        {0, "states", OPTION_TEXT, &w->states},
        {0, "pauses", OPTION_TEXT, &w->pauses},
        {'d', "duration", OPTION_NUMBER, &w->duration_s},
    };
    char problem[OPTION_PROBLEM_BYTES];
    int count =
        options_parse(options, sizeof options / sizeof *options, argc, argv, false, problem);
    if (count < 0)
        return electorate_complain(ELECTORATE_USAGE, "%s (see: electorate --help)", problem);
    if (w->help || w->version)
        return ELECTORATE_OK;
    if (count != 2 || (strcmp(argv[1], "replay") != 0 && strcmp(argv[1], "load") != 0))
        return electorate_complain(
            ELECTORATE_USAGE,
            "replay ELECTION or load ELECTION is wanted (see: electorate --help)");
    w->is_replay = strcmp(argv[1], "replay") == 0;
    w->folder = argv[2];
    secure_settle(&w->secure);
    return check_words(w);
}

/* ---- files ---- */

static int read_returns(const struct words *w, const struct election_info *e, struct returns *ret,
                        struct err *err)
{
    char path[PATH_BYTES_MAX];
    struct buf text;
    snprintf(path, sizeof path, "%s/returns.csv", w->folder);
    int rc = canvass_file_read(path, RETURNS_BYTES_MAX, &text, err);
    if (rc == 0) {
        rc = returns_read(buf_slice(&text), e, ret, err);
        rc = rc < 0 ? err_wrap(err, rc, "'%s'", path) : 0;
    }
    buf_deinit(&text);
    return rc;
}

static int plan_replay(const struct words *w, const struct election_info *e, struct plan *ret,
                       struct err *err)
{
    static struct returns returns; /* 32 KiB, once in this program */
    struct scale scale;
    if (!scale_read(w->scale, &scale))
        return err_set(err, ERR_INVALID, "--scale: '%s' is not N/M, at most 1", w->scale);
    int rc = read_returns(w, e, &returns, err);
    if (rc < 0)
        return rc;
    return plan_of_returns(e, &returns, scale, (uint64_t)w->twice, (uint64_t)w->seed, ret, err);
}

static int read_states(const char *text, const struct definition *d, uint64_t *ret, struct err *err)
{
    *ret = text == NULL ? UINT64_MAX : 0;
    while (text != NULL) {
        size_t len = strcspn(text, ",");
        int state = definition_find_state(d, slice_of(text, len));
        if (state < 0)
            return err_set(err, ERR_INVALID, "--states: there is no state '%.*s'", (int)len, text);
        *ret |= UINT64_C(1) << state;
        text = text[len] == ',' ? text + len + 1 : NULL;
    }
    return 0;
}

static int make_plan(const struct words *w, const struct definition *d, struct plan *ret,
                     struct err *err)
{
    uint64_t states;
    if (w->is_replay)
        return plan_replay(w, &d->info, ret, err);
    int rc = read_states(w->states, d, &states, err);
    return rc < 0 ? rc : plan_of_load(&d->info, states, (uint64_t)w->seed, ret, err);
}

/* ---- what is said ---- */

static void show_plan(const struct plan *p)
{
    char text[GROUPED_BYTES];
    const struct election_info *e = p->election;
    printf("%-6s%12s%12s", "state", "roll", "votes");
    for (uint32_t c = 0; c < e->candidate_count; c++)
        printf("%12.11s", e->candidates[c].id);
    printf("\n");
    for (uint32_t i = 0; i < e->state_count; i++) {
        const struct plan_state *s = &p->states[i];
        printf("%-6s%12" PRIu64 "%12" PRIu64, e->states[i].names.code, s->roll, s->total);
        for (uint32_t c = 0; c < e->candidate_count; c++)
            printf("%12" PRIu64, s->votes[c]);
        printf("\n");
    }
    printf("%s votes", grouped(p->people, text));
    printf(", %s ballots\n", grouped(plan_ballots(p), text));
}

static void print_json(const struct run_result *r, const struct comparison *c, const char *verdict)
{
    struct json j;
    cli_json_begin(&j);
    cli_json_number(&j, "ballots", (int64_t)r->counts.answered);
    cli_json_number(&j, "committed", (int64_t)r->counts.outcomes[CAST_COMMITTED]);
    cli_json_number(&j, "duplicate", (int64_t)r->counts.outcomes[CAST_DUPLICATE]);
    cli_json_number(&j, "sent", (int64_t)r->counts.sent);
    cli_json_number(&j, "given_up", (int64_t)r->counts.given_up);
    cli_json_number(&j, "broken_connections", (int64_t)r->door.broken);
    cli_json_number(&j, "duration_ms", (int64_t)(r->seconds * 1e3));
    cli_json_number(&j, "per_second",
                    (int64_t)(r->seconds > 0 ? (double)r->counts.answered / r->seconds : 0));
    cli_json_number(&j, "p50_us", summary_quantile(&r->counts.latency_us, 0.5));
    cli_json_number(&j, "p99_us", summary_quantile(&r->counts.latency_us, 0.99));
    cli_json_number(&j, "max_us", r->counts.latency_us.max);
    if (c != NULL) {
        cli_json_number(&j, "votes_planned", (int64_t)c->votes_planned);
        cli_json_number(&j, "votes_counted", (int64_t)c->votes_counted);
        cli_json_number(&j, "states", c->states);
        cli_json_number(&j, "states_exact", c->states_exact);
    }
    cli_json_text(&j, "verdict", verdict);
    cli_json_end(&j);
}

static bool all_in(const struct run_result *r)
{
    const uint64_t *o = r->counts.outcomes;
    return r->counts.answered > 0 && o[CAST_COMMITTED] + o[CAST_DUPLICATE] == r->counts.answered;
}

/* In one line on stderr, so that it is seen whatever becomes of stdout. */
static void complain_of_refusals(const struct run_result *r)
{
    char text[GROUPED_BYTES];
    int most = CAST_NOT_STARTED;
    for (int o = CAST_NOT_STARTED; o < CAST_OUTCOME_COUNT; o++)
        if (r->counts.outcomes[o] > r->counts.outcomes[most])
            most = o;
    if (r->counts.outcomes[most] > 0)
        electorate_complain(ELECTORATE_NO, "%s ballots were answered %s",
                            grouped(r->counts.outcomes[most], text),
                            cast_outcome_name((enum cast_outcome)most));
}

static int conclude_load(const struct words *w, const struct run_result *r)
{
    bool good = all_in(r);
    if (w->json)
        print_json(r, NULL, good ? "ok" : "refused");
    complain_of_refusals(r);
    return good ? ELECTORATE_OK : ELECTORATE_NO;
}

static int conclude_replay(const struct words *w, const struct plan *p, const struct run_options *o,
                           const struct run_result *r)
{
    static struct results results; /* 32 KiB, once */
    struct comparison c;
    struct err err = {""};
    char counted[GROUPED_BYTES], planned[GROUPED_BYTES];
    if (results_ask(p->election, o->servers, o->rest, o->tls, &results, &err) < 0)
        return electorate_complain(ELECTORATE_CONNECTION, "the counts: %s", err.text);
    compare_results(p, &results, w->quiet || w->json, &c);
    complain_of_refusals(r);
    bool exact = c.states_exact == c.states && c.votes_counted == c.votes_planned;
    if (w->json)
        print_json(r, &c, exact ? "exact" : "not exact");
    else
        printf("%s: %u of %u states, %s of %s votes\n", exact ? "exact" : "NOT EXACT",
               c.states_exact, c.states, grouped(c.votes_counted, counted),
               grouped(c.votes_planned, planned));
    return exact && !r->interrupted ? ELECTORATE_OK : ELECTORATE_NO;
}

/* ---- the commands ---- */

static int cast_votes(const struct words *w, const struct plan *p, struct tls_context *tls,
                      const struct hmac_key *credentials)
{
    static struct servers servers; /* 40 KiB, once */
    struct err err = {""};
    char *end = NULL;
    double rate = w->rate != NULL ? strtod(w->rate, &end) : 0;
    if (w->rate != NULL && (*end != 0 || end == w->rate || !(rate > 0)))
        return electorate_complain(ELECTORATE_USAGE, "--rate: '%s' is no rate", w->rate);
    if (servers_read(w->rest != NULL ? w->rest : w->server,
                     w->rest != NULL ? REST_PORT_DEFAULT : GRPC_PORT_DEFAULT, &servers, &err) < 0)
        return electorate_complain(ELECTORATE_USAGE, "%s", err.text);
    struct run_options o = {
        .plan = p,
        .servers = &servers,
        .rest = w->rest != NULL,
        .tls = tls,
        .credentials = credentials,
        .connections = (uint32_t)w->connections,
        .in_flight = (uint32_t)w->in_flight,
        .patience_ms = w->patience_s * MS_PER_S,
        .rate = rate,
        .duration_ms = w->is_replay ? 0 : w->duration_s * MS_PER_S,
        .quiet = w->quiet,
    };
    if (w->pauses != NULL && (o.pauses = fopen(w->pauses, "we")) == NULL)
        return electorate_complain(ELECTORATE_USAGE, "cannot write '%s': %s", w->pauses,
                                   strerror(errno));
    static struct run_result result;
    run_votes(&o, &result);
    if (o.pauses != NULL && fclose(o.pauses) != 0)
        return electorate_complain(ELECTORATE_NO, "cannot write '%s': %s", w->pauses,
                                   strerror(errno));
    if (!w->json)
        report_run(&result);
    if (result.unreachable)
        return electorate_complain(ELECTORATE_CONNECTION,
                                   "no server could be reached; the last: %s", result.door.trouble);
    if (w->is_replay && !w->no_compare)
        return conclude_replay(w, p, &o, &result);
    return conclude_load(w, &result);
}

/* Whoever has the master key can make what voters show: the registrar's part is played here. */
static int cast_with_credentials(const struct words *w, const struct definition *d,
                                 const struct plan *p)
{
    static struct hmac_key credentials[STATES_MAX]; /* 13 KiB, once */
    struct tls_context *tls = NULL;
    struct err err = {""};
    for (uint32_t i = 0; i < d->info.state_count && w->key != NULL; i++)
        definition_key(d, DEFINITION_CREDENTIALS, (int)i, &credentials[i]);
    int code = secure_context(&w->secure, w->rest != NULL ? NULL : "h2", &tls, &err) < 0
                   ? electorate_complain(ELECTORATE_USAGE, "%s", err.text)
                   : cast_votes(w, p, tls, w->key != NULL ? credentials : NULL);
    explicit_bzero(credentials, sizeof credentials);
    tls_context_free(tls);
    return code;
}

static int run_command(const struct words *w)
{
    static struct plan plan; /* 50 KiB, once */
    struct definition *d = NULL;
    struct err err = {""};
    int rc = definition_read(w->folder, w->key, &d, &err);
    if (rc == 0)
        rc = make_plan(w, d, &plan, &err);
    int code = ELECTORATE_OK;
    if (rc < 0)
        code = electorate_complain(ELECTORATE_USAGE, "%s", err.text);
    else if (w->dry_run)
        show_plan(&plan);
    else
        code = cast_with_credentials(w, d, &plan);
    definition_free(d);
    return code;
}

int electorate_main(int argc, char **argv)
{
    struct words w;
    int code = read_words(argc, argv, &w);
    if (code == ELECTORATE_OK && w.help)
        fputs(help, stdout);
    else if (code == ELECTORATE_OK && w.version)
        printf("electorate %s\n", caucus_version());
    else if (code == ELECTORATE_OK)
        code = run_command(&w);
    if (fflush(stdout) != 0 || ferror(stdout))
        return electorate_complain(ELECTORATE_NO, "cannot write the output");
    return code;
}
