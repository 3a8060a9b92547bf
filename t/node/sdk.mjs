// SPDX-License-Identifier: ISC
//
// What a program sees that uses the official SDK: sdk.mjs MODULE asks a server for everything in turn and prints one JSON
// object, { step: what came of it }, for t/63-openai-sdk.t to judge.  The environment says where: URL, KEY, ROOM (prefix of the
// questions, so that runs can be told apart).
import { pathToFileURL } from 'node:url';

const { default: OpenAI } = await import(pathToFileURL(process.argv[2]));
const { URL: base, KEY: apiKey, NAME: name } = process.env;
const client = new OpenAI({ baseURL: base + '/v1', apiKey, maxRetries: 0, timeout: 20000 });
const results = {};

const user = (content) => [{ role: 'user', content }];
const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }];

// What an error tells a program.
function told(error) {
  let type = 'Error';
  for (const kind of ['APIUserAbortError', 'APIConnectionTimeoutError', 'APIConnectionError', 'AuthenticationError', 'PermissionDeniedError', 'NotFoundError', 'BadRequestError',
    'ConflictError', 'UnprocessableEntityError', 'RateLimitError', 'InternalServerError', 'APIError'])
    if (OpenAI[kind] && error instanceof OpenAI[kind]) { type = kind; break; }
  return { type, status: error.status ?? null, code: error.code ?? null, param: error.param ?? null, message: String(error.message), id: Boolean(error.requestID) };
}

async function step(name, action) {
  try {
    results[name] = await action();
  } catch (error) {
    results[name] = { error: told(error) };
  }
}

// All chunks of a stream: its text, and what else there was.
async function take(stream) {
  const seen = { text: '', chunks: 0, finish: [], usage: null, sources: null, error: null };
  try {
    for await (const chunk of stream) {
      seen.chunks++;
      for (const choice of chunk.choices) {
        seen.text += choice.delta.content ?? '';
        if (choice.finish_reason) seen.finish.push(choice.finish_reason);
      }
      seen.usage = chunk.usage ?? seen.usage;
      seen.sources = chunk.sources ?? seen.sources;
    }
  } catch (error) {
    seen.error = told(error);
  }
  return seen;
}

const ask = (model, question, more = {}, options = {}) => client.chat.completions.create({ model, messages: user(`${name} ${question}`), ...more }, options);

await step('list', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  return ids;
});
await step('retrieve', async () => (await client.models.retrieve('hall')).id);
await step('retrieve, slash', async () => (await client.models.retrieve('team/super model')).id);
await step('retrieve, unknown', () => client.models.retrieve('nowhere/at all'));

await step('chat', async () => {
  const got = await ask('hall', 'chat');
  return { text: got.choices[0].message.content, finish: got.choices[0].finish_reason, usage: got.usage, id: Boolean(got._request_id), sources: got.sources };
});
await step('chat, server model', async () => (await ask('team/super model', 'server model')).choices[0].message.content);
await step('stream', async () => take(await ask('hall', 'stream', { stream: true })));
await step('stream, usage', async () => take(await ask('hall', 'stream, usage', { stream: true, stream_options: { include_usage: true } })));
await step('stream, slow', async () => take(await ask('slow', 'x', { stream: true, messages: user(`say ${name}-slow n=3 first=2.2`) })));
await step('helper', async () => {
  let text = '';
  const runner = client.chat.completions.stream({ model: 'hall', messages: user(`${name} helper`), stream_options: { include_usage: true } });
  runner.on('content', (delta) => { text += delta; });
  const final = await runner.finalChatCompletion();
  return { text, final: final.choices[0].message.content, finish: final.choices[0].finish_reason, usage: (await runner.totalUsage()).total_tokens };
});

for (const model of ['tools', 'json-tools']) {
  await step(`${model}, whole`, async () => {
    const { message, finish_reason } = (await ask(model, `${model}, whole`, { tools })).choices[0];
    return { content: message.content, calls: message.tool_calls, finish: finish_reason };
  });
  await step(`${model}, helper`, async () => {
    const final = await client.chat.completions.stream({ model, messages: user(`${name} ${model}, helper`), tools }).finalChatCompletion();
    const { message, finish_reason } = final.choices[0];
    return { content: message.content, calls: message.tool_calls.map(({ id, type, function: { name, arguments: args } }) => ({ id, type, function: { name, arguments: args } })), finish: finish_reason };
  });
}

await step('bad key', () => new OpenAI({ baseURL: base + '/v1', apiKey: 'sk-exd-none', maxRetries: 0 }).models.list());
await step('unknown model', () => ask('nowhere', 'unknown'));
await step('unknown model, stream', () => ask('nowhere', 'unknown, stream', { stream: true }));
await step('bad parameter', () => ask('hall', 'bad', { temperature: 7 }));
await step('too long', () => ask('hall', 'x'.repeat(40000)));
await step('busy', () => ask('busy', 'busy'));
await step('busy, stream', () => ask('busy', 'busy, stream', { stream: true }));
await step('failing', () => ask('failing', 'failing'));
await step('away', () => ask('away', 'away'));

// The server asks its provider three times; the SDK asks the server again.
await step('again', async () => (await ask('again', 'again', {}, { maxRetries: 2 })).choices[0].message.content);
await step('again, stream', async () => take(await ask('again', 'again, stream', { stream: true }, { maxRetries: 2 })));
await step('not again', () => ask('nobody', 'not again', {}, { maxRetries: 2 }));

await step('broken', async () => take(await ask('broken', 'broken', { stream: true })));
await step('broken, helper', async () => {
  let text = '';
  const runner = client.chat.completions.stream({ model: 'broken', messages: user(`${name} broken, helper`) });
  runner.on('content', (delta) => { text += delta; });
  try {
    await runner.finalChatCompletion();
    return { text };
  } catch (error) {
    return { text, error: told(error) };
  }
});

// Three ways to leave, each after three pieces; `at` is when.
await step('leave, break', async () => {
  let n = 0;
  for await (const chunk of await ask('slow', 'x', { stream: true, messages: user(`say ${name}-break n=400 pause=0.05`) }))
    if (chunk.choices[0].delta.content && ++n === 3) break;
  return { at: Date.now() / 1000 };
});
await step('leave, signal', async () => {
  const controller = new AbortController();
  let n = 0, at, error = null;
  try {
    for await (const chunk of await ask('slow', 'x', { stream: true, messages: user(`say ${name}-signal n=400 pause=0.05`) }, { signal: controller.signal }))
      if (chunk.choices[0].delta.content && ++n === 3) {
        at = Date.now() / 1000;
        controller.abort();
      }
  } catch (caught) {
    error = told(caught);
  }
  return { at, error };
});
await step('leave, helper', async () => {
  const runner = client.chat.completions.stream({ model: 'slow', messages: user(`say ${name}-helper n=400 pause=0.05`) });
  let n = 0, at;
  runner.on('content', () => {
    if (++n === 3) {
      at = Date.now() / 1000;
      runner.abort();
    }
  });
  try {
    await runner.finalChatCompletion();
  } catch (error) {
    return { at, error: told(error) };
  }
  return { at };
});
await step('leave, whole', async () => {
  const controller = new AbortController();
  let at;
  setTimeout(() => { at = Date.now() / 1000; controller.abort(); }, 500);
  try {
    await ask('slow', 'x', { messages: user(`say ${name}-whole n=400 pause=0.05`) }, { signal: controller.signal });
  } catch (error) {
    return { at, error: told(error) };
  }
  return { at };
});

// The same under AnythingLLM's prefix.
const native = new OpenAI({ baseURL: base + '/api/v1/openai', apiKey, maxRetries: 0 });
await step('native, list', async () => (await native.models.list()).data.map(({ id }) => id));
await step('native, chat', async () => (await native.chat.completions.create({ model: 'hall', messages: user(`${name} native`) })).choices[0].message.content);
await step('native, helper', async () => (await native.chat.completions.stream({ model: 'hall', messages: user(`${name} native, helper`) }).finalChatCompletion()).choices[0].message.content);
await step('native, bad key', () => new OpenAI({ baseURL: base + '/api/v1/openai', apiKey: 'sk-exd-none', maxRetries: 0 }).models.list());
await step('native, unknown model', () => native.chat.completions.create({ model: 'nowhere', messages: user('x') }));

console.log(JSON.stringify(results));
process.exit(0);
