// The one class of undici that is used here, without loading the others (fetch, WebSocket, mocks): 5 MB less (ADR 1).
declare module "undici/lib/dispatcher/pool.js" {
  export { Pool as default } from "undici";
}
