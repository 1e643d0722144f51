/* commands.c: the commands there are. A new one is a row here and a function in cli.h. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

const struct command commands[] = {
    {"ls", NULL, "[-R] [-s] [-w] PATH", "the children of a node",
     "  -R, --recursive  everything below it, one path a line\n"
     "  -s, --stat       its stat as well\n"
     "  -w, --watch      then wait until the children change, and tell it\n",
     COMMAND_SESSION, run_ls},
    {"tree", NULL, "PATH", "everything below a node, drawn as a tree", NULL, COMMAND_SESSION,
     run_tree},
    {"get", NULL, "[-s] [-w] PATH", "a node's data, as it is",
     "Into a pipe or file the bytes go as they are; on a terminal what could upset it is escaped.\n"
     "  -s, --stat   its stat as well, behind the data\n"
     "  -w, --watch  then wait until the node changes, and tell it\n",
     COMMAND_SESSION, run_get},
    {"stat", "exists", "[-w] PATH", "a node's versions, times and counts",
     "Exit code 1 if there is no such node.\n"
     "  -w, --watch  then wait until the node changes (or is created), and tell it\n",
     COMMAND_SESSION, run_stat},
    {"set", NULL, "[-v VERSION] [-s] PATH [DATA | -f FILE]", "change a node's data",
     "Without DATA and FILE, standard input is what is set.\n"
     "  -v, --version N   only if the data has this version\n"
     "  -f, --file FILE   the data is in this file (\"-\": standard input)\n"
     "  -s, --stat        print the stat\n",
     COMMAND_SESSION, run_set},
    {"create", NULL, "[-e] [-s] [-c] [-t MS] [-p] PATH [DATA [ACL] | -f FILE]",
     "create a node, and print its path",
     "  -e, --ephemeral   it goes with the session: outside the shell, with the end of this\n"
     "                    command, which waits until it is interrupted\n"
     "  -s, --sequential  a number is appended to the name\n"
     "  -c, --container   it goes when its last child has gone\n"
     "  -t, --ttl MS      it goes when it has no child and was not changed for so long\n"
     "  -p, --parents     create what is missing above it, too\n"
     "  -f, --file FILE   the data is in this file (\"-\": standard input)\n"
     "  ACL               SCHEME:ID:PERMS,... as of setacl; else world:anyone:cdrwa\n",
     COMMAND_SESSION, run_create},
    {"delete", NULL, "[-v VERSION] PATH", "delete a node without children",
     "  -v, --version N   only if the data has this version\n", COMMAND_SESSION, run_delete},
    {"deleteall", "delete-all", "PATH", "delete a node and everything below it", NULL,
     COMMAND_SESSION, run_delete_all},
    {"multi", NULL, "OPERATION [, OPERATION]...", "several changes: all of them, or none",
     "Operations, separated by a word that is a comma:\n"
     "  create PATH [DATA]     set PATH DATA [VERSION]\n"
     "  delete PATH [VERSION]  check PATH VERSION\n",
     COMMAND_SESSION, run_multi},
    {"sync", NULL, "[PATH]", "let the server catch up with the leader", NULL, COMMAND_SESSION,
     run_sync},
    {"watch", "addWatch", "[-r] [-n COUNT] PATH", "print what happens to a node, or a tree",
     "A line for each event: what, the transaction, the path. Ends when it is interrupted (exit\n"
     "code 0) or the session is over (3); what happens to the connection is told on stderr, and\n"
     "\"rearmed\" says that events may be missing. In the shell it goes on beside other commands.\n"
     "  -r, --recursive   the node and everything below it\n"
     "  -n, --count N     end after so many events\n",
     COMMAND_SESSION, run_watch},
    {"acl", NULL, "[get] [-s] PATH | set [-v VERSION] PATH SCHEME:ID:PERMS[,...]",
     "who may do what with a node, and to change it",
     "As getacl and setacl, which have their own help.\n", COMMAND_SESSION, run_acl},
    {"getacl", "getAcl", "[-s] PATH", "who may do what with a node",
     "  -s, --stat  its stat as well\n", COMMAND_SESSION, run_get_acl},
    {"setacl", "setAcl", "[-v VERSION] PATH SCHEME:ID:PERMS[,...]",
     "change who may do what with a node",
     "PERMS are letters: c create, d delete, r read, w write, a admin (setacl).\n"
     "  -v, --version N   only if the ACL has this version (aversion)\n"
     "Examples: world:anyone:r  auth::cdrwa  digest:user:HASH:cdrwa  ip:10.0.0.0/8:r\n",
     COMMAND_SESSION, run_set_acl},
    {"addauth", NULL, "SCHEME AUTH", "one more identity for the session", NULL,
     COMMAND_SESSION | COMMAND_IN_SHELL, run_add_auth},
    {"whoami", "whoAmI", "", "the identities the server knows this session by", NULL,
     COMMAND_SESSION, run_whoami},
    {"ephemerals", "getEphemerals", "[PATH]", "this session's ephemeral nodes", NULL,
     COMMAND_SESSION | COMMAND_IN_SHELL, run_ephemerals},
    {"quota", NULL, "list [PATH] | set LIMIT... PATH | delete [LIMIT...] PATH",
     "how many nodes and bytes a tree may have",
     "As listquota, setquota and delquota, which have their own help. Servers with\n"
     "enforceQuota=true refuse to pass a hard limit; a soft one is told in their logs.\n",
     COMMAND_SESSION, run_quota},
    {"listquota", NULL, "[PATH]", "the quota of a node, or all there are: limits and what is used",
     NULL, COMMAND_SESSION, run_list_quota},
    {"setquota", NULL, "[-n COUNT] [-b BYTES] [-N COUNT] [-B BYTES] PATH",
     "limits for a node and everything below it",
     "What is not given stays as it is.\n"
     "  -n, --count N       nodes, soft\n"
     "  -b, --bytes N       bytes of their data, soft\n"
     "  -N, --count-hard N  nodes, hard\n"
     "  -B, --bytes-hard N  bytes of their data, hard\n",
     COMMAND_SESSION, run_set_quota},
    {"delquota", NULL, "[-n] [-b] [-N] [-B] PATH", "take limits of a quota away, or all of it",
     "  -n, --count       only this limit, or these, as of setquota\n"
     "  -b, --bytes\n"
     "  -N, --count-hard\n"
     "  -B, --bytes-hard\n",
     COMMAND_SESSION, run_delete_quota},
    {"config", NULL, "[-c]", "the servers of the ensemble, as they have agreed",
     "  -c, --clients  only what a client wants for its list of hosts\n", COMMAND_SESSION,
     run_config},
    {"reconfig", NULL, "[--add SERVER]... [--remove ID]... | --members SERVERS",
     "change the servers of the ensemble",
     "SERVER is server.ID=HOST:PORT:PORT[:ROLE];[HOST:]PORT; lists are separated by commas.\n"
     "  -a, --add SERVER       that joins; may be given more than once, as may --remove\n"
     "  -r, --remove ID        that leaves\n"
     "  -m, --members SERVERS  all there are to be\n"
     "  -v, --version N        only if the configuration has this version (hexadecimal, as "
     "shown)\n",
     COMMAND_SESSION, run_reconfig},
    {"status", NULL, "", "every server of the ensemble: what it is and how it does",
     "Asks the given servers, and those they know of, for srvr; with TLS only the given ones, as\n"
     "servers know the others by their ports without TLS. Exit code 0: all serve; 1: some do not;\n"
     "3: none could be reached.\n",
     COMMAND_OUTSIDE, run_status},
    {"top", NULL, "[-i MS] [-n COUNT]",
     "what every server of the ensemble is doing, again and again",
     "Requests are all packets that came in, pings too. The latency is the interval's where the\n"
     "server may be asked mntr (4lw.commands.whitelist), else in brackets that since it started;\n"
     "watches want mntr, too. Ends with q, or when interrupted.\n"
     "  -i, --interval MS  between two looks (2000)\n"
     "  -n, --count N      end after so many\n",
     COMMAND_OUTSIDE, run_top},
    {"dump", NULL, "[--verify | --digest] FILE|DIR...", "what lies in log and snapshot files",
     "Files of caucusd and of Apache ZooKeeper, also compressed ones; of a folder all in it, or\n"
     "in its version-2. Nothing is changed, no server is asked. Exit code 1: a file is damaged.\n"
     "  --from ZXID             only records of logs from this one on\n"
     "  --to ZXID               ... to this one\n"
     "  --verify                every check sum and every digest; the records are not shown. A\n"
     "                          torn end (a write that was not finished) is told, and no damage\n"
     "  --digest                the digest of the tree that a server would begin with in DIR\n"
     "  --zxid ZXID             or that it had after this transaction\n"
     "  --log-dir DIR           where the logs are, if not beside the snapshots\n",
     COMMAND_OUTSIDE, run_dump},
    {"backup", NULL, "--admin HOST:PORT | --data-dir DIR [--log-dir DIR] [--zxid ZXID]  TARGET",
     "one state of a server, checked, in a new folder",
     "TARGET gets version-2/snapshot.ZXID, with which a server can begin, and backup.info: check\n"
     "sum, zxid, digest, source. A state is kept only if its digest is the one recorded with it.\n"
     "  --admin HOST:PORT  of a running server (admin.serverPort; Apache ZooKeeper since 3.9)\n"
     "                     Who asks is told by --auth SCHEME:AUTH in front of the command; he\n"
     "                     must be allowed everything on the root node. It goes in clear\n"
     "  --data-dir DIR     of the files of a server, running or not; they are only read\n"
     "  --log-dir DIR      its dataLogDir, if it has one\n"
     "  --zxid ZXID        as it was after this transaction. What a member of an ensemble has\n"
     "                     written last may never have been agreed on: take one that others have\n",
     COMMAND_OUTSIDE, run_backup},
    {"restore", NULL, "--admin HOST:PORT | --data-dir DIR [--log-dir DIR]  [--force] BACKUP",
     "a backup becomes the state of a server",
     "BACKUP is a folder that backup made, or a snapshot file. It is checked before anything is\n"
     "touched. Clients that go on from before may have seen what is no more: start them anew.\n"
     "  --data-dir DIR     of a server that does not run: the way for ensembles too. Stop all,\n"
     "                     restore each of them, or one and empty the others; start all\n"
     "  --log-dir DIR      its dataLogDir, if it has one: a log left there would be replayed\n"
     "  --admin HOST:PORT  a running server that is alone (see backup). Apache ZooKeeper keeps\n"
     "                     what it is given in memory only until it writes its next snapshot\n"
     "  --force            also where there is a state: in a folder it is moved aside, a running\n"
     "                     server's is replaced\n",
     COMMAND_OUTSIDE, run_restore},
    {"bench", NULL, "[OPTION]... read|write|mixed", "how many requests are answered, and how fast",
     "Reads are get, writes are set, of nodes made for it, which go afterwards. Ends early when\n"
     "it is interrupted. Many connections may want maxClientCnxns=0 of the servers.\n"
     "  -c, --connections N  sessions (8)\n"
     "  -f, --in-flight N    requests on each of them (16)\n"
     "  -d, --seconds N      (10)\n"
     "  -n, --count N        end after so many requests\n"
     "  -b, --bytes N        of a node's data (100)\n"
     "  --nodes N            (100)\n"
     "  --reads PERCENT      of mixed (80)\n"
     "  --path PATH          below which they are made (/)\n",
     COMMAND_OUTSIDE | COMMAND_SESSION, run_bench},
    {"elect", NULL, "[OPTION]... PATH [-- COMMAND [WORD]...]",
     "run a command while this is the leader, or list who stands",
     "Queues below PATH, runs the command when it is first, and stops it before another can be:\n"
     "SIGTERM to its process group, then SIGKILL. When the command ends by itself the leadership "
     "is\n"
     "given up, and its exit code is caucus'. When it was stopped caucus queues again. The "
     "command\n"
     "has CAUCUS_FENCING_TOKEN (greater in every later term), CAUCUS_ID, CAUCUS_PATH and\n"
     "CAUCUS_HOSTS in its environment. Signals are passed on to it. Without a command: a line for\n"
     "each beginning and end of a term.\n"
     "  -i, --id NAME         shown to others (host/pid)\n"
     "  -p, --policy POLICY   strict: stop when the connection is lost; until-lost: only when it\n"
     "                        does not come back in time (strict)\n"
     "  -g, --grace MS        from SIGTERM to SIGKILL (a fifth of the session's timeout)\n"
     "  -1, --once            end when the first term does\n"
     "  -l, --list            print who stands, the leader first, and end\n"
     "Exit codes: the command's, 128+N if signal N ended it, 126 or 127 if it cannot be run; 3 "
     "with\n"
     "--once if the leadership was lost. man caucus has what holds when this is stopped or "
     "killed.\n",
     COMMAND_OUTSIDE | COMMAND_SESSION, run_elect},
    {"lock", NULL, "[OPTION]... PATH -- COMMAND [WORD]...", "run a command while a lock is held",
     "Waits for the lock, runs the command, gives it back; exits with the command's code. A "
     "command\n"
     "whose lock is about to be lost is stopped, as of elect; its environment is the same.\n"
     "  -s, --shared                   with others that share it (readers)\n"
     "  -n, --nonblock                 exit code 1 if it is not free\n"
     "  -w, --wait MS                  exit code 1 if it does not become free in this time\n"
     "  -E, --conflict-exit-code CODE  another than 1\n"
     "  -i, --id NAME                  shown to others (host/pid)\n"
     "  -p, --policy POLICY            strict or until-lost, see elect (strict)\n"
     "  -g, --grace MS                 from SIGTERM to SIGKILL, see elect\n"
     "Exit codes: as of elect; 3 if the lock was lost.\n",
     COMMAND_OUTSIDE | COMMAND_SESSION, run_lock},
    {"members", NULL, "[OPTION]... PATH [-- COMMAND [WORD]...]",
     "who is in a group; be in it, alone or while a command runs",
     "Without options: the members, with their tokens, sessions and data.\n"
     "  -f, --follow          print them, and what changes, a line each, until interrupted\n"
     "  --join                be a member, and print joining and leaving, until interrupted; or\n"
     "                        run COMMAND as one: stopped as that of elect is, before others\n"
     "                        can be told that this member is gone, and run again when it is back\n"
     "  -i, --id NAME         the member's, one holder at a time (host-pid)\n"
     "  -d, --data TEXT       what the others see of it\n"
     "  --take-over           of another who has the id, once; else this waits until it is gone\n"
     "  -p, --policy POLICY   strict: out when the connection is lost; until-lost: only when it\n"
     "                        does not come back in time (strict)\n"
     "  -g, --grace MS        from SIGTERM to SIGKILL (a fifth of the session's timeout)\n"
     "  -1, --once            end when the first membership does\n"
     "Exit codes: with COMMAND those of elect.\n",
     COMMAND_OUTSIDE | COMMAND_SESSION, run_members},
    {"register", NULL, "[OPTION]... --address HOST PATH NAME",
     "an instance of the service NAME, until interrupted",
     "Is listed below PATH/NAME as Curator's x-discovery has it. Prints when it is, and is not.\n"
     "  -a, --address HOST     where it can be reached\n"
     "  -p, --port N           in the clear\n"
     "  --tls-port N           with TLS\n"
     "  -i, --id NAME          the instance's, one holder at a time (a uuid)\n"
     "  --payload TEXT         more about it\n"
     "  --payload-json JSON    likewise, as a JSON value\n"
     "  --take-over            of another who has the id, once; else this waits until it is gone\n",
     COMMAND_OUTSIDE | COMMAND_SESSION, run_register},
    {"discover", NULL, "[OPTION]... PATH NAME", "the instances of a service",
     "Services are the children of PATH (ls).\n"
     "  -f, --follow    print them, and what changes, a line each, until interrupted\n"
     "  -1, --pick      print one of them at random as HOST:PORT; exit code 1 if there is none\n"
     "  -w, --wait MS   with --pick: for so long until there is one\n",
     COMMAND_OUTSIDE | COMMAND_SESSION, run_discover},
    {"barrier", NULL, "[OPTION]... wait|set|lift PATH | enter -n MEMBERS PATH -- COMMAND [WORD]...",
     "wait for one, or for each other",
     "wait: until there is no node at PATH; set makes it, lift deletes it.\n"
     "enter: runs the command when as many are there, in a session each; ends when all have.\n"
     "Its environment is that of elect, but for the token, which is none.\n"
     "  -n, --members MEMBERS  how many enter\n"
     "  -w, --wait MS          exit code 1 if it is not so within this time (for ever)\n"
     "  -i, --id NAME          shown to others (host/pid)\n"
     "Exit codes: as of elect; 3 if the session was lost meanwhile.\n",
     COMMAND_OUTSIDE | COMMAND_SESSION, run_barrier},
    {"up", NULL, "[OPTION]...",
     "a cluster of your own: three coordination servers, three of an election",
     "Runs until it is interrupted, and leaves nothing running; what it wrote stays in the "
     "folder.\n"
     "  -d, --dir DIR          where everything lies (caucus-cluster)\n"
     "  -e, --election DIR     which election (us-2024)\n"
     "  -z, --zookeeper HOSTS  coordinate by these servers instead of three of our own, below a "
     "node\n"
     "                         of its own there, which --clean deletes\n"
     "  -p, --port PORT        of the first page; else a free one, as all others\n"
     "  -c, --clean            forget what an earlier cluster left in the folder\n"
     "      --demo             clean, and hold the election: every vote of its returns, two\n"
     "                         leaders killed meanwhile, the count compared and counted again\n"
     "Exit codes: 0 it served and was ended, 1 it could not, which is told, 130 interrupted before "
     "it\n"
     "served, or before the election was through.\n",
     COMMAND_OUTSIDE, run_up},
    {"down", NULL, "[OPTION]...", "end the cluster that up began",
     "  -d, --dir DIR  its folder (caucus-cluster)\n", COMMAND_OUTSIDE, run_down},
    {"shell", NULL, "[-e]", "many commands in one session, from a terminal or a pipe",
     "Exit code: that of the first command that failed. Words may be quoted as in a shell; '#'\n"
     "begins a comment.\n"
     "  -e, --stop  end at the first command that fails\n",
     COMMAND_OUTSIDE | COMMAND_SESSION, run_shell},
    {"complete", NULL, "-- [WORD]...", "what could stand at the end of a line, for shells",
     "WORDs are those behind \"caucus\"; the last may be half one, or empty. A line for each that\n"
     "fits, a tab and what it means behind it; \":files\" and \":command N\" leave it to the "
     "shell.\n",
     COMMAND_OUTSIDE, run_complete},
    {"help", NULL, "[COMMAND]", "this, or what a command does", NULL, 0, run_help},
    {"version", NULL, "", "of this program", NULL, 0, run_version},
};

const char command_global_options[] =
    "  -s, --hosts HOST:PORT,...[/chroot]  servers; else $CAUCUS_HOSTS, $CAUCUS_SERVERS,\n"
    "                                      127.0.0.1:2181\n"
    "  -t, --timeout MS        how long to look for a server, and the session's timeout\n"
    "                          (10000)\n"
    "  -a, --auth SCHEME:AUTH  an identity, such as digest:user:password, for everybody on this\n"
    "                          machine to see: for tests; else\n"
    "  --auth-file FILE        the same, the first line of this file\n" SECURE_TLS_HELP
    "  --sasl-user NAME        SASL DIGEST-MD5; the password is $CAUCUS_SASL_PASSWORD, or\n"
    "  --sasl-password-file F  is the first line of this file\n"
    "  --sasl-gssapi           SASL by Kerberos, with the tickets there are\n"
    "  -r, --read-only         a server without quorum will do\n"
    "  -j, --json              for programs: one JSON object on a line\n"
    "  -h, --help              also behind a command, as are --hosts and --json\n"
    "  -v, --version           of this program\n";

const char command_common_options[] = "  --json         for programs: one JSON object\n"
                                      "  --hosts HOSTS  as in front of the command\n"
                                      "  --help         this\n";

const size_t command_count = sizeof commands / sizeof *commands;

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(name, commands[i].name) == 0 ||
            (commands[i].alias != NULL && strcmp(name, commands[i].alias) == 0))
            return &commands[i];
    return NULL;
}

int command_run_part(struct cli *cli, const struct command_part *parts, int argc, char **argv)
{
    char words[64] = "";
    for (const struct command_part *p = parts; p->word != NULL; p++) {
        if (argc > 1 && strcmp(argv[1], p->word) == 0) {
            char name[16];
            snprintf(name, sizeof name, "%s", p->command);
            argv[1] = name;
            return command_find(name)->run(cli, argc - 1, argv + 1);
        }
        size_t at = strlen(words);
        const char *joint = at == 0 ? "" : p[1].word == NULL ? " or " : ", ";
        snprintf(words + at, sizeof words - at, "%s%s", joint, p->word);
    }
    return cli_usage(cli, "%s is wanted (see: caucus %s --help)", words, argv[0]);
}

void command_help(const struct command *c)
{
    const char *in_front = c->wants & COMMAND_IN_SHELL ? "" : "caucus ";
    printf("%s%s %s\n\n%s", in_front, c->name, c->arguments, c->summary);
    if (c->wants & COMMAND_IN_SHELL)
        printf(" (in the shell)");
    if (c->alias != NULL)
        printf(" (also: %s)", c->alias);
    printf("\n");
    if (c->help != NULL)
        printf("\n%s", c->help);
    printf("\n%s", command_common_options);
}

int run_help(struct cli *cli, int argc, char **argv)
{
    if (argc > 1) {
        const struct command *c = command_find(argv[1]);
        if (c == NULL)
            return cli_usage(cli, "there is no command '%s'", argv[1]);
        command_help(c);
        return CLI_OK;
    }
    if (!cli->in_shell)
        printf("caucus [OPTION]... COMMAND [WORD]...\n\n"
               "A command line for ZooKeeper servers: caucusd, and Apache ZooKeeper.\n\n"
               "%s\n",
               command_global_options);
    for (size_t i = 0; i < command_count; i++)
        if (!(commands[i].wants & (cli->in_shell ? COMMAND_OUTSIDE : COMMAND_IN_SHELL)))
            printf("  %-11s %s\n", commands[i].name, commands[i].summary);
    if (cli->in_shell)
        printf("  %-11s %s\n", "quit", "leave");
    else
        printf("\nExit codes: 0 done, 1 the answer is no, 2 the words cannot be understood,\n"
               "3 no server, or the connection was lost. More: caucus COMMAND --help\n");
    return CLI_OK;
}

int run_version(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    (void)argc;
    (void)argv;
    printf("caucus %s\n", caucus_version());
    return CLI_OK;
}
