const call = context.services;
const asked = [request.method, request.url.length];
const sum = [];
if (request.headers.get('x-stream') === 'yes') {
  return new Response(request.body ?? 'nothing', { headers: { 'x-asked': String(asked.length) } });
}
for await (const piece of request.body ?? []) sum.push(piece.length);
return Response.json({ asked, sum, called: typeof call });
