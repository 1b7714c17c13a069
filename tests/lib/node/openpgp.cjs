// OpenPGP.js as a webmail uses it.
//   openpgp.cjs decrypt KEY CERTIFICATE   armored message on stdin; the content to stdout
//   openpgp.cjs verify CERTIFICATE TEXT   armored detached signature on stdin over the bytes of the file TEXT
// Key and certificate are armored files. For each signature a line on stderr, "good" or "bad: why".
const { readFileSync } = require("node:fs");
const openpgp = require("openpgp");

const [task, first, second] = process.argv.slice(2);
const text = (file) => readFileSync(file, "utf8");
const certificate = (file) => openpgp.readKey({ armoredKey: text(file) });

async function judge(signatures) {
    for (const signature of signatures)
        await signature.verified.then(() => console.error("good"), (error) => console.error(`bad: ${error.message}`));
}

async function decrypt() {
    const { data, signatures } = await openpgp.decrypt({
        message: await openpgp.readMessage({ armoredMessage: text(0) }),
        decryptionKeys: await openpgp.readPrivateKey({ armoredKey: text(first) }),
        verificationKeys: await certificate(second),
        format: "binary",
    });
    process.stdout.write(data);
    await judge(signatures);
}

async function verify() {
    const { signatures } = await openpgp.verify({
        message: await openpgp.createMessage({ binary: readFileSync(second) }),
        signature: await openpgp.readSignature({ armoredSignature: text(0) }),
        verificationKeys: await certificate(first),
    });
    await judge(signatures);
}

({ decrypt, verify })[task]().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
});
