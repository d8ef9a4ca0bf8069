// The certified authorization server, made ready for tests: it logs in by itself, rotates refresh tokens and revokes a
// grant whose refresh token is used twice, guards one resource, and counts. Arguments: port, seconds an access token lives.
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const { Provider } = await import(require.resolve("oidc-provider"));

const [port, life] = process.argv.slice(2).map(Number);
const issuer = `http://127.0.0.1:${port}`;
const count = { token: 0, renewed: 0, refused: 0, api: 0, dead: 0 };
let rotate = true;
let latest = null;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "crosswalk",
      client_secret: "the-application-secret",
      application_type: "native",
      redirect_uris: ["http://localhost/callback"],
      grant_types: ["authorization_code", "refresh_token", "client_credentials"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true } },
  pkce: { required: () => true },
  scopes: ["openid", "offline_access", "accounting"],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: () => true,
  rotateRefreshToken: () => rotate,
  ttl: { AccessToken: life, ClientCredentials: life, RefreshToken: 86400, Grant: 86400, Session: 60, Interaction: 60 },
  cookies: { keys: ["only a test"] },
});

for (const saved of ["access_token.saved", "client_credentials.saved"]) {
  provider.on(saved, (token) => (latest = token.jti));
}
provider.on("grant.success", (context) => {
  if (context.oidc.params.grant_type !== "authorization_code") count.renewed += 1;
});
provider.on("grant.error", () => (count.refused += 1));

async function interact(request, response) {
  const { uid, prompt, params, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    return provider.interactionFinished(request, response, { login: { accountId: "someone" } });
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: "someone", clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

async function api(request, response) {
  count.api += 1;
  const value = (request.headers.authorization ?? "").replace("Bearer ", "");
  const token = (await provider.AccessToken.find(value)) ?? (await provider.ClientCredentials.find(value));
  const good = token !== undefined && token.jti === latest;
  if (!good) count.dead += 1;
  say(response, good ? 200 : 401, good ? { ok: true } : { error: "invalid_token" });
}

function say(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(value));
}

const callback = provider.callback();
http
  .createServer(async (request, response) => {
    try {
      const url = new URL(request.url, issuer);
      if (url.pathname.startsWith("/interaction/")) return await interact(request, response);
      if (url.pathname === "/api") return await api(request, response);
      if (url.pathname === "/count") return say(response, 200, count);
      if (url.pathname === "/kill") return say(response, 200, { killed: (latest = "nobody") });
      if (url.pathname === "/rotate") return say(response, 200, { rotate: (rotate = url.search === "?on") });
      if (url.pathname === "/token") count.token += 1;
      return callback(request, response);
    } catch (error) {
      say(response, 500, { error: String(error) });
    }
  })
  .listen(port, "127.0.0.1", () => console.log("ready"));
