// Unpacks Node beside this file, or where that folder is read-only, in the user's cache. Prints its path.
// Plain JavaScript for any Node from 20 on.
const { createHash } = require('node:crypto');
const {
  createReadStream,
  createWriteStream,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} = require('node:fs');
const { dirname, join } = require('node:path');
const { Transform } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { createBrotliDecompress } = require('node:zlib');

const { sha256 } = JSON.parse(readFileSync(join(__dirname, 'package.json'), 'utf8')).skein;
/** The folder cannot be written. */
const UNWRITABLE = ['EACCES', 'EPERM', 'EROFS'];

/** Others may unpack at the same time: each writes a file of its own, and the last one stays. */
async function unpackTo(target) {
  mkdirSync(dirname(target), { recursive: true });
  const part = `${target}-${process.pid}.part`;
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    const packed = createReadStream(join(__dirname, 'node.br'));
    const file = createWriteStream(part, { mode: 0o755, flags: 'wx', flush: true });
    await pipeline(packed, createBrotliDecompress(), hashing, file);
    const found = hash.digest('hex');
    if (found !== sha256) throw new Error(`its SHA-256 is ${found}, not ${sha256}`);
    renameSync(part, target);
  } finally {
    rmSync(part, { force: true });
  }
}

async function unpack([first, ...others]) {
  try {
    await unpackTo(first);
    return first;
  } catch (error) {
    if (others.length > 0 && UNWRITABLE.includes(error.code)) return unpack(others);
    throw error;
  }
}

unpack(process.argv.slice(2)).then(
  (path) => process.stdout.write(path),
  (error) => {
    process.stderr.write(`error: Node cannot be unpacked: ${error.message}\n`);
    process.stderr.write(
      '  fix: install skein again, where its folder or ~/.cache can be written.\n',
    );
    process.exitCode = 1;
  },
);
