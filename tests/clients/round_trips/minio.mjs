// A round trip by minio's client for JavaScript: the order comes on stdin, what fails ends the program.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";

import { Client, CopyConditions } from "minio";

const MIB = 1 << 20;
const BIG_MIB = 17;
const MINUTE_SECONDS = 60;

const order = JSON.parse(await text(process.stdin));
const bucket = order.bucket;
const client = new Client({
  endPoint: order.host,
  port: order.port,
  useSSL: order.secure,
  accessKey: order.access_key,
  secretKey: order.secret_key,
  region: order.region,
  pathStyle: true,
  partSize: 5 * MIB,
});

const content = (key) => Buffer.from(`of ${key}`);
const read = async (key) => buffer(await client.getObject(bucket, key));
const byBytes = (keys) => [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

async function listed(how) {
  const keys = [];
  for await (const item of client[how](bucket, "", true)) keys.push(item.name);
  return keys;
}

// each key holds its own bytes, is listed once in order, and is copied
async function objects(keys) {
  for (const key of keys) {
    const put = await client.putObject(bucket, key, content(key), content(key).length, { "X-Amz-Meta-Kind": "odd" });
    const stat = await client.statObject(bucket, key);
    assert.deepEqual([stat.etag, stat.size, stat.metaData.kind], [put.etag, content(key).length, "odd"], key);
  }
  for (const key of keys) {
    assert.deepEqual(await read(key), content(key), key);
    assert.deepEqual(await buffer(await client.getPartialObject(bucket, key, 2, 1)), content(key).subarray(2, 3), key);
  }
  for (const how of ["listObjectsV2", "listObjects"]) assert.deepEqual(await listed(how), byBytes(keys), how);
  for (const [number, key] of keys.entries()) {
    await client.copyObject(bucket, `copied/${number}`, `/${bucket}/${key}`, new CopyConditions());
    assert.deepEqual(await read(`copied/${number}`), content(key), key);
  }
}

// a stream of unknown length goes in parts
async function parts() {
  const block = randomBytes(MIB);
  const blocks = Array.from({ length: BIG_MIB }, () => block);
  await client.putObject(bucket, "big", Readable.from(blocks, { objectMode: false }));
  const stat = await client.statObject(bucket, "big");
  assert.equal(stat.size, BIG_MIB * MIB);
  assert.match(stat.etag, /-\d+$/);
  assert.ok((await read("big")).equals(Buffer.concat(blocks)));
}

// anybody who has the URL reads and writes
async function presigned(key) {
  const put = await client.presignedPutObject(bucket, key, MINUTE_SECONDS);
  assert.equal((await fetch(put, { method: "PUT", body: "by a URL" })).status, 200);
  const get = await client.presignedGetObject(bucket, key, MINUTE_SECONDS);
  assert.equal(await (await fetch(get)).text(), "by a URL");
}

await client.makeBucket(bucket, order.region);
assert.ok(await client.bucketExists(bucket));
assert.ok((await client.listBuckets()).some((each) => each.name === bucket));
await objects(order.keys);
await parts();
await presigned(order.keys[0]);
await client.removeObjects(bucket, await listed("listObjectsV2"));
assert.deepEqual(await listed("listObjectsV2"), []);
await client.removeBucket(bucket);
assert.ok(!(await client.bucketExists(bucket)));
