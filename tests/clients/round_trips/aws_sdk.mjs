// A round trip by the AWS SDK for JavaScript: the order comes on stdin, what fails ends the program.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";

import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const MIB = 1 << 20;
const BIG_MIB = 17;
const PAGE_KEYS = 7;

const order = JSON.parse(await text(process.stdin));
const Bucket = order.bucket;
const client = new S3Client({
  endpoint: order.endpoint,
  region: order.region,
  credentials: { accessKeyId: order.access_key, secretAccessKey: order.secret_key },
  forcePathStyle: true,
  maxAttempts: 1,
});

const content = (key) => Buffer.from(`of ${key}`);
const read = async (Key, more = {}) => {
  const answer = await client.send(new GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from(await answer.Body.transformToByteArray());
};
const byBytes = (keys) => [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

async function listed() {
  const keys = [];
  for await (const page of paginateListObjectsV2({ client, pageSize: PAGE_KEYS }, { Bucket })) {
    keys.push(...(page.Contents ?? []).map((item) => item.Key));
  }
  return keys;
}

// each key holds its own bytes, is listed once in order, and is copied
async function objects(keys) {
  for (const Key of keys) {
    const put = await client.send(new PutObjectCommand({ Bucket, Key, Body: content(Key), Metadata: { kind: "odd" } }));
    const head = await client.send(new HeadObjectCommand({ Bucket, Key }));
    assert.deepEqual([head.ETag, head.ContentLength, head.Metadata], [put.ETag, content(Key).length, { kind: "odd" }], Key);
  }
  for (const Key of keys) {
    assert.deepEqual(await read(Key), content(Key), Key);
    assert.deepEqual(await read(Key, { Range: "bytes=2-" }), content(Key).subarray(2), Key);
  }
  assert.deepEqual(await listed(), byBytes(keys));
  for (const [number, key] of keys.entries()) {
    // the SDK takes the header's value as it is: its user encodes it
    const CopySource = encodeURIComponent(`${Bucket}/${key}`);
    await client.send(new CopyObjectCommand({ Bucket, Key: `copied/${number}`, CopySource }));
    assert.deepEqual(await read(`copied/${number}`), content(key), key);
  }
}

// a managed upload goes in parts
async function parts() {
  const body = randomBytes(BIG_MIB * MIB);
  await new Upload({ client, params: { Bucket, Key: "big", Body: body }, partSize: 5 * MIB, queueSize: 3 }).done();
  const head = await client.send(new HeadObjectCommand({ Bucket, Key: "big" }));
  assert.match(head.ETag, /-4"$/);
  assert.ok((await read("big")).equals(body));
}

// anybody who has the URL reads and writes
async function presigned(Key) {
  const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key }), { expiresIn: 60 });
  assert.equal((await fetch(put, { method: "PUT", body: "by a URL" })).status, 200);
  const get = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key }), { expiresIn: 60 });
  assert.equal(await (await fetch(get)).text(), "by a URL");
}

await client.send(new CreateBucketCommand({ Bucket }));
assert.ok((await client.send(new ListBucketsCommand({}))).Buckets.some((each) => each.Name === Bucket));
await objects(order.keys);
await parts();
await presigned(order.keys[0]);
const Objects = (await listed()).map((Key) => ({ Key }));
const deleted = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
assert.deepEqual([deleted.Errors ?? [], deleted.Deleted.length], [[], Objects.length]);
await client.send(new DeleteBucketCommand({ Bucket }));
await assert.rejects(client.send(new HeadBucketCommand({ Bucket })), (error) => error.$metadata.httpStatusCode === 404);
