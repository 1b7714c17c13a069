"""Thunderbird without a screen: keys are imported as its own dialogs do, letters are opened in its message window."""

import base64
import json
import os
import subprocess
import time

from marionette import Marionette
from opened import Opened
from tools import end_process, free_port, run, wait_until

PREFERENCES = {
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.openMessageBehavior": 0,  # a window of its own
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "security.OCSP.enabled": 0,
}

FILE = """
const fileAt = (path) => {
    const file = Cc["@mozilla.org/file/local;1"].createInstance(Ci.nsIFile);
    file.initWithPath(path);
    return file;
};
"""

# Secret OpenPGP key, certificate of a correspondent, PKCS#12 files with password "x", base64 of the DER of a root.
IMPORT = FILE + """
const { RNP } = ChromeUtils.importESModule("chrome://openpgp/content/modules/RNP.sys.mjs");
const { EnigmailCore } = ChromeUtils.importESModule("chrome://openpgp/content/modules/core.sys.mjs");
const { PgpSqliteDb2 } = ChromeUtils.importESModule("chrome://openpgp/content/modules/sqliteDb.sys.mjs");
const [secret, certificate, files, root] = args;
await EnigmailCore.init();
const own = await RNP.importSecKeyBlockImpl(null, () => "", false, secret, false, []);
for (const key of own.importedKeys)
    await PgpSqliteDb2.acceptAsPersonalKey(key);
const other = await RNP.importPubkeyBlockAutoAcceptImpl(null, certificate, "verified", false, []);
const certificates = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
const codes = files.map((path) => certificates.importPKCS12File(fileAt(path), "x"));
certificates.addCertFromBase64(root, "CTu,CTu,CTu");
return [own.exitCode, other.exitCode, own.importedKeys.length, other.importedKeys.length, ...codes];
"""

OPEN = FILE + """
const { MailUtils } = ChromeUtils.importESModule("resource:///modules/MailUtils.sys.mjs");
const file = fileAt(args[0]);
MailUtils.openEMLFile(window, file, Services.io.newFileURI(file));
"""

# null: nothing of the mail stands there yet.
LOOK = r"""
const [frame] = [...Services.wm.getEnumerator("mail:messageWindow")];
const view = frame?.document.getElementById("messageBrowser")?.contentWindow;
const text = view?.getMessagePaneBrowser?.()?.contentDocument;
if (text?.readyState != "complete" || !text.body || !text.URL.includes(args[0]) || !view.msgLoaded)
    return null;
const icon = (id) => {
    const image = view.document.getElementById(id);
    return image.hidden ? "" : image.src;
};
return {
    text: text.body.innerText,
    subject: view.document.getElementById("expandedsubjectBox").textContent.replace(/^Subject:\s*/, ""),
    sealed: icon("encryptedHdrIcon"), signed: icon("signedHdrIcon"),
    files: view.currentAttachments.map(({ name, url }) => ({ name, url })),
};
"""

FETCH = """
const { NetUtil } = ChromeUtils.importESModule("resource://gre/modules/NetUtil.sys.mjs");
return new Promise((resolve, reject) => NetUtil.asyncFetch({ uri: args[0], loadUsingSystemPrincipal: true }, (stream, status) =>
    Components.isSuccessCode(status) ? resolve(btoa(NetUtil.readInputStreamToString(stream, stream.available()))) : reject(status)));
"""

CLOSE = """
for (const frame of Services.wm.getEnumerator("mail:messageWindow"))
    frame.close();
"""

SETTLED = 2  # seconds in which nothing that is shown changes any more


class Thunderbird:
    """SENT: who wrote, who reads (see conftest.letters); FOLDER: for the profile and the letters."""

    def __init__(self, sent, folder):
        self.folder = folder
        port = free_port()
        preferences = {**PREFERENCES, "marionette.port": port}
        lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in preferences.items()]
        (folder / "user.js").write_text("".join(lines))
        self.log = open(folder / "log", "wb")
        self.process = subprocess.Popen(
            ["thunderbird", "--headless", "--marionette", "-remote-allow-system-access", "--no-remote", "--profile", folder],
            env={**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log, start_new_session=True)
        try:
            self.window = Marionette(port, lambda: self.process.poll() is None)
            self.version = self.window.run("return Services.appinfo.version")
            self.add_keys(sent)
        except BaseException:
            self.close()
            raise

    def add_keys(self, sent):
        cast, files = sent.cast, []
        for person in (cast.sam, cast.erin):
            files.append(str(self.folder / f"{person.serial}.p12"))
            run("openssl", "pkcs12", "-export", "-in", person.certificate, "-inkey", person.secret, "-passout", "pass:x",
                "-out", files[-1])
        root = run("openssl", "x509", "-in", sent.authority.certificate, "-outform", "DER").stdout
        done = self.window.run(IMPORT, cast.pat.secret.read_text(), cast.alice.certificate.read_text(), files,
                               base64.b64encode(root).decode())
        assert done == [0, 0, 1, 1, 0, 0], f"keys are imported: {done}"

    def open(self, letter):
        path = self.folder / f"{letter.name}.eml"
        path.write_bytes(letter.arrived)
        self.window.run(OPEN, str(path))
        look = self.settled(path.name)
        file = next((one["url"] for one in look["files"] if one["name"].endswith("bersicht.bin")), None)
        raw = base64.b64decode(self.window.run(FETCH, file)) if file else b""
        self.window.run(CLOSE)
        # OpenPGP: the key is the sender's and was accepted as verified; S/MIME: the chain and the address are right.
        good = look["signed"].endswith(("/message-signed-verified.svg", "/message-signed-ok.svg"))
        return Opened(look["text"], raw, look["subject"], good, json.dumps(look))

    def settled(self, name):
        """What it shows once that stays as it is: signatures are judged after the text is there."""
        last, since = None, 0
        def look():
            nonlocal last, since
            now = self.window.run(LOOK, name)
            if now != last:
                last, since = now, time.monotonic()
            return now if now and time.monotonic() > since + SETTLED else None
        return wait_until(look, lambda: f"{name} is shown, but: {last}", 60)

    def close(self):
        end_process(self.process)
        self.log.close()
