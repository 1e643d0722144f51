/* commands.c: the commands there are, and the way from words to them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/caucus.h"
#include "cli/options.h"
#include "cli/secure.h"
#include "committee/committee.h"

enum {
    TIMEOUT_MS_DEFAULT = 15000,
    COMMON_OPTIONS = 2,
    OPTIONS_MAX = 16,
};

const struct committee_command committee_commands[] = {
    {"start", "[--force] [--round N]", "open a round: votes are taken from now on",
     "Waits until every server can take it up; states that are not ready are named, and nothing "
     "is\n"
     "done.\n"
     "  -f, --force    although some states are not ready\n"
     "      --round N  only if N is the next one\n",
     run_start},
    {"stop", "[--now] [--drain MS] [--round N]", "close the round: nothing is counted from now on",
     "  -n, --now       without waiting for votes that were taken and are not yet committed\n"
     "      --drain MS  how long to wait for them (10000)\n"
     "      --round N   only if N is the present one\n",
     run_stop},
    {"status", "STATE", "the counts of a state, as of now",
     "STATE by code (NY), key (new_york) or name.\n", run_state_status},
    {"global_status", "", "electors, votes, and every state, of one moment",
     "Exit code 1 if nothing is known of some state; what is known is shown.\n", run_global_status},
    {"watch", "[STATE...]", "counts as they change",
     "A line for each change, until it is interrupted or all that was asked for is final. By gRPC\n"
     "(--server).\n",
     run_watch_results},
    {"leaders", "", "who leads each state's servers, and who follows", "By REST (--rest).\n",
     run_leaders},
    {"recount", "[STATE]", "let every server count its log again, and compare",
     "Exit code 1 if some server did not answer or does not agree.\n", run_recount},
    {"export", "DIR --election DIR --zookeeper HOSTS --from DIR... [--key FILE]",
     "everything that is needed to count again, for verify",
     "Of a round that is closed. Nothing that is there is overwritten.\n"
     "  -e, --election DIR     the definition, as servers have it\n"
     "  -k, --key FILE         the master key, as servers have it; not for demonstrations\n"
     "  -z, --zookeeper HOSTS  where the seals are\n"
     "      --root PATH        (/Election)\n"
     "      --auth-file FILE   for the coordination service: USER:PASS (digest), its first line\n"
     "      --auth USER:PASS   the same, for everybody on this machine to see: for tests\n"
     "      --zookeeper-ca FILE, --zookeeper-identity FILE\n"
     "                         PEM files: TLS to it; whom to trust, our certificate and key\n"
     "      --from DIR         a server's data folder, or a copy of it; may be given more than "
     "once\n"
     "With --rest, also the results as others want them: NIST SP 1500-100, OpenElections, "
     "manifest.\n",
     run_export},
    {"verify", "DIR", "count an exported election again, from its files alone",
     "Exit code 1 if anything is not right.\n"
     "      --fingerprint HEX  it has to be the export with this fingerprint\n",
     run_verify},
    {"cvr", "DIR STATE", "cast vote records of an exported state, for programs that want them",
     "Counts the export in DIR again, and writes NIST SP 1500-103 in JSON: a record for each "
     "voter,\n"
     "by district and choice, so that nothing can be told from it but the counts. STATE by code.\n",
     run_cvr},
    {"roll", "import STATE FILE | check [STATE]", "who may vote",
     "import reads FILE (voter_id[,district][,credential_pubkey], or wide rows), refuses what is\n"
     "wrong in it with line and column, and puts it where servers look for it when they start\n"
     "(--election); with --rest each of these servers takes it at once, before the first round.\n"
     "check reads all rolls of the definition, and tells how many voters are on each; of STATE it\n"
     "asks all servers (--rest), and exit code 1 says that they have not all the same.\n"
     "  -e, --election DIR  the definition\n"
     "  -k, --key FILE      the master key, as servers have it; not for demonstrations\n",
     run_roll},
    {"receipt", "check FILE [--export DIR] [--signer HEX]", "is a vote in, as its receipt says",
     "FILE is what a server has answered to the vote, or of the voter, in JSON. By REST (--rest)\n"
     "servers are asked for proofs; of an exported election the log is read. What is checked: the\n"
     "signature, that the record is in the receipt's tree, and that the log has only grown since.\n"
     "      --export DIR  what export has written\n"
     "      --signer HEX  the election's key, from somebody you trust; else the export or the\n"
     "                    servers say it\n",
     run_receipt},
    {"credential", "STATE [VOTER...] --election DIR [--key FILE]",
     "what voters have to show, where servers want it",
     "A line for each voter: the id, a tab, the credential. Without VOTER, ids are read from\n"
     "standard input, one a line.\n"
     "  -e, --election DIR  the definition\n"
     "  -k, --key FILE      the master key, as servers have it; not for demonstrations\n"
     "      --round N       for round N alone (any)\n"
     "      --hours N       for so long from now on (for ever)\n",
     run_credential},
    {"approver", "new FILE --name NAME | show FILE --name NAME",
     "a key for somebody who may approve a loss",
     "new makes a private key, which FILE has from then on and nobody else should: it is not\n"
     "overwritten, and cannot be made again. Both print the line for election.conf by which NAME\n"
     "may approve (see: committee recover --help).\n"
     "      --name NAME  1 to 63 letters, digits, '.', '_', '-'\n",
     run_approver},
    {"approve", "DOCUMENT --name NAME --key FILE [--add]",
     "sign that votes of a state are given up, which cannot be undone",
     "DOCUMENT is what recover --notice has written, perhaps with approvals of others. Says on\n"
     "standard error what is approved, and prints a line to be put behind it. Before you sign, "
     "see\n"
     "for yourself that the disks of the servers it names are really gone: if one of them can "
     "come\n"
     "back, nothing is lost, and nothing needs to be given up.\n"
     "      --name NAME  yours, as the election's definition has it\n"
     "  -k, --key FILE   yours, as approver new has made it\n"
     "      --add        put the line into DOCUMENT\n",
     run_approve},
    {"recover", "STATE [--notice FILE | --document FILE]",
     "go on without votes that are lost, which cannot be undone",
     "For a state that takes no votes, since all servers that had the end of what is committed "
     "are\n"
     "gone for good. Without options it shows, and changes nothing: what is committed, what one\n"
     "server (the keeper) still has, what would be given up, and who has to approve it. Exit code "
     "1\n"
     "if nothing would be given up. By REST (--rest). STATE by code, key or name.\n"
     "      --notice FILE    also write what has to be signed to FILE (committee approve)\n"
     "      --document FILE  give it up: FILE is the notice with enough approvals\n"
     "VOTES THAT WERE CONFIRMED TO THEIR VOTERS ARE GIVEN UP BY THIS, AND IT CANNOT BE UNDONE: if\n"
     "a server that is missing comes back after all, what only it had is put aside in a file, and\n"
     "counts for nobody. Wait, if one of them may return. How many records were given up is shown\n"
     "with every count and stands in the seal; who approved it is kept in the coordination "
     "service.\n",
     run_recover},
    {"help", "[COMMAND]", "the commands, or what one of them does", NULL, run_committee_help},
};
const size_t committee_command_count = sizeof committee_commands / sizeof *committee_commands;

/* ---- what is said ---- */

int committee_complain(const struct committee *m, enum committee_exit code, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("committee: ", stderr);
    if (m->command != NULL)
        fprintf(stderr, "%s: ", m->command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

int committee_failed(const struct committee *m, enum client_code code, const struct err *err)
{
    switch (code) {
    case CLIENT_OK:
        break;
    case CLIENT_NO:
        return committee_complain(m, COMMITTEE_NO, "%s", err->text);
    case CLIENT_CONNECTION:
        return committee_complain(m, COMMITTEE_CONNECTION, "no server answered; the last: %s",
                                  err->text);
    }
    return COMMITTEE_OK;
}

static const struct committee_command *find_command(const char *name)
{
    for (size_t i = 0; i < committee_command_count; i++)
        if (strcmp(committee_commands[i].name, name) == 0)
            return &committee_commands[i];
    return NULL;
}

void committee_help(void)
{
    fputs("committee [OPTION]... [COMMAND [WORD]...]\n"
          "Without a command, commands are read from standard input: a shell, if it is a "
          "terminal.\n\n",
          stdout);
    for (size_t i = 0; i < committee_command_count; i++)
        printf("  %-14s %s\n", committee_commands[i].name, committee_commands[i].summary);
    fputs(
        "\n"
        "  -s, --server HOSTS  HOST:PORT,... of servers, by gRPC (port 55555)\n"
        "  -r, --rest HOSTS    the same, by REST (port 9999)\n"
        "  -t, --timeout MS    how long one server is waited for (15000)\n"
        "  -j, --json          an object on a line, for programs\n"
        "  -h, --help          this; behind a command, what it does\n"
        "  -v, --version\n" SECURE_TLS_HELP
        "COMMITTEE_SERVERS and COMMITTEE_REST are taken for what is not given.\n\n"
        "Exit code 0: done; 1: refused, or what was checked is not right; 2: the words cannot be\n"
        "understood; 3: no server answered.\n",
        stdout);
}

static void help_of(const struct committee_command *c)
{
    printf("committee %s %s\n%s.\n", c->name, c->arguments, c->summary);
    if (c->help != NULL)
        fputs(c->help, stdout);
}

int run_committee_help(struct committee *m, int argc, char **argv)
{
    int count = 0;
    int code = committee_words(m, NULL, 0, argc, argv, 0, 1, &count);
    if (code != 0)
        return code;
    const struct committee_command *c = count == 1 ? find_command(argv[1]) : NULL;
    if (count == 1 && c == NULL)
        return committee_complain(m, COMMITTEE_USAGE, "there is no command '%s'", argv[1]);
    if (c != NULL)
        help_of(c);
    else
        committee_help();
    return COMMITTEE_OK;
}

/* ---- words ---- */

int committee_words(struct committee *m, const struct option *options, size_t count, int argc,
                    char **argv, int min, int max, int *ret_count)
{
    char problem[OPTION_PROBLEM_BYTES];
    bool help = false;
    struct option all[OPTIONS_MAX] = {{'j', "json", OPTION_FLAG, &m->json},
                                      {'h', "help", OPTION_FLAG, &help}};
    if (count > 0)
        memcpy(all + COMMON_OPTIONS, options, count * sizeof *options);
    int words = options_parse(all, COMMON_OPTIONS + count, argc, argv, false, problem);
    if (words < 0)
        return committee_complain(m, COMMITTEE_USAGE, "%s (see: committee %s --help)", problem,
                                  argv[0]);
    if (help) {
        help_of(find_command(argv[0]));
        return -1;
    }
    if (words < min || words > max)
        return committee_complain(m, COMMITTEE_USAGE, "%s (see: committee %s --help)",
                                  words < min ? "a word is missing" : "too many words", argv[0]);
    *ret_count = words;
    return 0;
}

int committee_run(struct committee *m, int argc, char **argv)
{
    const struct committee_command *c = find_command(argv[0]);
    m->command = NULL;
    if (c == NULL)
        return committee_complain(m, COMMITTEE_USAGE,
                                  "there is no command '%s' (see: committee --help)", argv[0]);
    m->command = c->name;
    bool json = m->json;
    int code = c->run(m, argc, argv);
    m->json = json;
    if (fflush(stdout) != 0 || ferror(stdout))
        return committee_complain(m, COMMITTEE_NO, "cannot write the output");
    return code < 0 ? COMMITTEE_OK : code;
}

static const char *or_of_environment(const char *given, const char *name)
{
    return given != NULL ? given : getenv(name);
}

static int read_servers(const struct committee *m, const char *text, int port, struct servers *ret)
{
    struct err err = {""};
    if (text == NULL || text[0] == 0 || servers_read(text, port, ret, &err) == 0)
        return 0;
    return committee_complain(m, COMMITTEE_USAGE, "%s", err.text);
}

static int open_tls(struct committee *m, struct secure *s)
{
    struct err err = {""};
    secure_settle(s);
    if (secure_context(s, "h2", &m->client.grpc_tls, &err) < 0 ||
        secure_context(s, NULL, &m->client.rest_tls, &err) < 0)
        return committee_complain(m, COMMITTEE_USAGE, "%s", err.text);
    return 0;
}

static int run_from_main(struct committee *m, int argc, char **argv)
{
    const char *server = NULL, *rest = NULL;
    bool help = false, version = false;
    struct secure secure = {.tls = false};
    m->client.timeout_ms = TIMEOUT_MS_DEFAULT;
    const struct option options[] = {
        {'s', "server", OPTION_TEXT, &server},
        {'r', "rest", OPTION_TEXT, &rest},
        {'t', "timeout", OPTION_NUMBER, &m->client.timeout_ms},
        SECURE_TLS_OPTIONS(&secure),
        {'j', "json", OPTION_FLAG, &m->json},
        {'h', "help", OPTION_FLAG, &help},
        {'v', "version", OPTION_FLAG, &version},
    };
    char problem[OPTION_PROBLEM_BYTES];
    int count = options_parse(options, sizeof options / sizeof *options, argc, argv, true, problem);
    if (count < 0)
        return committee_complain(m, COMMITTEE_USAGE, "%s (see: committee --help)", problem);
    if (m->client.timeout_ms < 1 || m->client.timeout_ms > INT32_MAX)
        return committee_complain(m, COMMITTEE_USAGE, "--timeout is from 1 to %d ms", INT32_MAX);
    int code = read_servers(m, or_of_environment(server, "COMMITTEE_SERVERS"), GRPC_PORT_DEFAULT,
                            &m->client.grpc);
    if (code == 0)
        code = read_servers(m, or_of_environment(rest, "COMMITTEE_REST"), REST_PORT_DEFAULT,
                            &m->client.rest);
    if (code == 0)
        code = open_tls(m, &secure);
    if (code != 0)
        return code;
    if (version)
        printf("committee %s\n", caucus_version());
    else if (help)
        committee_help();
    else
        return count > 0 ? committee_run(m, count, argv + 1) : committee_shell(m);
    return fflush(stdout) == 0 ? COMMITTEE_OK : COMMITTEE_NO;
}

int committee_main(int argc, char **argv)
{
    static struct committee m; /* 80 KiB, once */
    int code = run_from_main(&m, argc, argv);
    tls_context_free(m.client.grpc_tls);
    tls_context_free(m.client.rest_tls);
    return code;
}
