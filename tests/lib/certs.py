"""Certificates of a test's own, made by openssl. Every file holds a key and what goes with it, as PEM.

    certs = Certs(folder)
    certs.ca                            who is trusted
    certs.make("server", ips=["127.0.0.1"])     a certificate, its key, and the ca's behind it
"""

import pathlib
import subprocess

from peers import program


class Certs:
    def __init__(self, folder, name="test ca"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca = self.folder / "ca.pem"
        self._ca_key = self.folder / "ca.key"
        self._openssl("req", "-x509", "-subj", f"/CN={name}", "-days", "2", "-addext", "keyUsage=keyCertSign,cRLSign",
                      "-addext", "basicConstraints=critical,CA:TRUE", *self._new_key(self._ca_key), "-out", self.ca)

    def make(self, name, subject=None, names=(), ips=(), days=2):
        """The path of NAME.pem; `names` and `ips` are the hosts that it may stand for."""
        key, certificate, whole = (self.folder / f"{name}.{end}" for end in ("key", "crt", "pem"))
        hosts = [f"DNS:{n}" for n in names] + [f"IP:{i}" for i in ips]
        self._openssl("req", "-x509", "-subj", subject or f"/CN={name}", "-days", str(days),
                      "-CA", self.ca, "-CAkey", self._ca_key, *self._new_key(key), "-out", certificate,
                      "-addext", "basicConstraints=critical,CA:FALSE",
                      *(["-addext", "subjectAltName=" + ",".join(hosts)] if hosts else []))
        whole.write_text(key.read_text() + certificate.read_text() + self.ca.read_text())
        return whole

    def encrypted_key(self, name, password):
        """The key of NAME.pem, encrypted."""
        path = self.folder / f"{name}.encrypted"
        self._openssl("pkcs8", "-topk8", "-in", self.folder / f"{name}.key", "-passout", f"pass:{password}",
                      "-out", path)
        return path

    def pkcs12(self, name, password):
        path = self.folder / f"{name}.p12"
        self._openssl("pkcs12", "-export", "-inkey", self.folder / f"{name}.key", "-in", self.folder / f"{name}.crt",
                      "-certfile", self.ca, "-passout", f"pass:{password}", "-out", path)
        return path

    @staticmethod
    def _new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(path)

    @staticmethod
    def _openssl(*words):
        subprocess.run([program("openssl"), *map(str, words)], check=True, capture_output=True, text=True)
