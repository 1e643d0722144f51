"""A Kerberos realm of the tests' own: a KDC (MIT's) on a loopback port, with all that it has in a folder.

    kdc = Kdc(folder)
    kdc.add("zookeeper/localhost")      # -> a file with its key
    kdc.env                             # for programs that shall know the realm
    kdc.tickets("alice")                # -> the same, with tickets for her
    kdc.stop()
"""

import os
import pathlib
import pty
import shutil
import subprocess

from peers import missing
from ports import free_port

REALM = "CAUCUS.TEST"

KRB5_CONF = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_realm = false
    dns_lookup_kdc = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
    permitted_enctypes = aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
[domain_realm]
    localhost = {realm}
"""

KDC_CONF = """\
[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
"""


def program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    return path if path else missing(f"program '{name}' (Debian's krb5-kdc, krb5-admin-server, krb5-user)")


class Kdc:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config = self.folder / "krb5.conf"
        port = free_port()
        self.config.write_text(KRB5_CONF.format(realm=REALM, port=port))
        (self.folder / "kdc.conf").write_text(KDC_CONF.format(realm=REALM, port=port, folder=self.folder))
        self.env = {"KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf"),
                    "KRB5CCNAME": f"FILE:{self.folder}/no-tickets"}
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        # It says when it serves, but into a pipe only when it ends.
        terminal, its_terminal = pty.openpty()
        self.process = subprocess.Popen([program("krb5kdc"), "-n"], env={**os.environ, **self.env},
                                        stdin=subprocess.DEVNULL, stdout=its_terminal, stderr=its_terminal)
        os.close(its_terminal)
        said = b""
        while b"starting" not in said:
            said += os.read(terminal, 1000)
        os.close(terminal)

    def _run(self, name, *words, env=None):
        run = subprocess.run([program(name), *map(str, words)], env={**os.environ, **(env or self.env)},
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert run.returncode == 0, run.stdout + run.stderr

    def add(self, principal):
        keytab = self.folder / f"{principal.replace('/', '-')}.keytab"
        self._run("kadmin.local", "-r", REALM, "addprinc", "-randkey", principal)
        self._run("kadmin.local", "-r", REALM, "ktadd", "-k", keytab, principal)
        return keytab

    def tickets(self, principal):
        env = {**self.env, "KRB5CCNAME": f"FILE:{self.folder}/tickets-of-{principal}"}
        self._run("kinit", "-k", "-t", self.add(principal), principal, env=env)
        return env

    def stop(self):
        self.process.terminate()
        self.process.wait()
