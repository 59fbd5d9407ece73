// services.fetch(input, init?): the fetch of the web. The head of the request goes as the call, its body behind it, and back the same way.
(host, { ObjectFreeze }, { flow, web }) => {
  const fetch = async (input, init) => {
    const { method, url, headers, redirect, signal, body, length } = web().asked(input, init);
    const head = { method, url, headers, redirect };
    if (body !== null) head.body = length === undefined ? {} : { length };
    const answer = await flow('fetch.open', [{}, head], body ?? undefined, signal);
    const { status, statusText, url: from, redirected, headers: told, hasBody } = answer.value;
    if (!hasBody) answer.body.cancel();
    return web().response({ status, statusText, url: from, redirected, headers: told, body: hasBody ? answer.body : null });
  };
  return ObjectFreeze(fetch);
}
