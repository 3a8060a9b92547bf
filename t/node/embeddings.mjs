// SPDX-License-Identifier: ISC
//
// Embeddings as a program gets them that uses the official SDK: embeddings.mjs MODULE prints one JSON object for
// t/53-embeddings-api.t to judge.  The environment says where: URL, KEY.
import { pathToFileURL } from 'node:url';

const { default: OpenAI } = await import(pathToFileURL(process.argv[2]));
const { URL: base, KEY: apiKey } = process.env;
const client = new OpenAI({ baseURL: base + '/v1', apiKey, maxRetries: 0, timeout: 20000 });
const ask = async (body) => client.embeddings.create({ model: 'any', ...body });

const one = await ask({ input: 'The blue whale.' });
const two = await ask({ input: ['one', 'two'] });
const float = await ask({ input: 'one', encoding_format: 'float' });
const base64 = await ask({ input: 'one', encoding_format: 'base64' });
let empty = null;
try {
  await ask({ input: '' });
} catch (error) {
  empty = [error.status, error.code];
}
const native = new OpenAI({ baseURL: base + '/api/v1/openai', apiKey, maxRetries: 0, timeout: 20000 });
const stores = (await native.vectorStores.list({ limit: 3 })).data;
console.log(JSON.stringify({
  one: one.data[0].embedding, usage: one.usage, two: two.data.map((each) => each.embedding), float: float.data[0].embedding, short: (await ask({ input: 'one', dimensions: 8 })).data[0].embedding,
  base64: base64.data[0].embedding, base64_wanted: Buffer.from(new Float32Array(float.data[0].embedding).buffer).toString('base64'), empty, stores,
}));
process.exit(0);
