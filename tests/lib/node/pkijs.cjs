// PKI.js with the WebCrypto of Node, as a webmail uses it.
//   pkijs.cjs decrypt KEY CERTIFICATE   CMS (DER) on stdin; the content to stdout
//   pkijs.cjs verify ROOT TEXT          detached SignedData (DER) on stdin over the bytes of the file TEXT
// KEY, CERTIFICATE and ROOT are PEM files. For a signature a line on stderr, "good" or "bad: why".
const { readFileSync } = require("node:fs");
const { webcrypto } = require("node:crypto");
const pkijs = require("pkijs");

const [task, first, second] = process.argv.slice(2);
const exact = (buffer) => new Uint8Array(buffer).buffer; // Node's buffers are parts of larger ones
const pem = (file) => exact(Buffer.from(readFileSync(file, "utf8").split(/-----[^-]+-----/)[1], "base64"));

async function decrypt(content) {
    const enveloped = new pkijs.EnvelopedData({ schema: content.content });
    const plain = await enveloped.decrypt(0, {
        recipientCertificate: pkijs.Certificate.fromBER(pem(second)),
        recipientPrivateKey: pem(first),
    });
    process.stdout.write(Buffer.from(plain));
}

async function verify(content) {
    const signed = new pkijs.SignedData({ schema: content.content });
    const verified = await signed.verify({
        signer: 0,
        data: exact(readFileSync(second)),
        checkChain: true,
        trustedCerts: [pkijs.Certificate.fromBER(pem(first))],
    });
    console.error(verified ? "good" : "bad");
}

pkijs.setEngine("node", new pkijs.CryptoEngine({ name: "node", crypto: webcrypto }));
({ decrypt, verify })[task](pkijs.ContentInfo.fromBER(exact(readFileSync(0)))).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
});
