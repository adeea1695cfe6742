// `rest_client_*`: what this process asks of the API server (operator.md section 15.3).
import { Counter, Histogram, type Registry } from "prom-client";
import type { RequestObserver } from "../kube/requester.ts";

const seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const bytes = [64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216];

/** Registers the metrics and gives the observer that feeds them. `verb` is the HTTP method, as in KubeRay. */
export function clientMetrics(registry: Registry): RequestObserver {
  const registers = [registry];
  const labelNames = ["verb", "host"] as const;
  const duration = new Histogram({
    name: "rest_client_request_duration_seconds",
    help: "Time from sending a request to the API server to the end of its answer (of a watch: to its start).",
    ...{ labelNames, registers, buckets: seconds },
  });
  const throttled = new Histogram({
    name: "rest_client_rate_limiter_duration_seconds",
    help: "Time for which a request waited for the rate limit of --qps and --burst.",
    ...{ labelNames, registers, buckets: seconds },
  });
  const requestSize = new Histogram({
    name: "rest_client_request_size_bytes",
    help: "Size of what was sent to the API server.",
    ...{ labelNames, registers, buckets: bytes },
  });
  const responseSize = new Histogram({
    name: "rest_client_response_size_bytes",
    help: "Size of what the API server answered.",
    ...{ labelNames, registers, buckets: bytes },
  });
  const retries = new Counter({
    name: "rest_client_request_retries_total",
    help: "Requests that were sent again, by the answer that made it necessary.",
    ...{ labelNames: ["code", "verb", "host"] as const, registers },
  });
  const total = new Counter({
    name: "rest_client_requests_total",
    help: "Requests to the API server by method and status code.",
    ...{ labelNames: ["code", "method", "host"] as const, registers },
  });
  const calls = new Counter({
    name: "ray_operator_api_calls_total",
    help: "Requests to the API server by what they did to which resource.",
    ...{ labelNames: ["verb", "resource", "code"] as const, registers },
  });
  return {
    request: ({ verb, method, resource, host, code, ...measured }) => {
      duration.observe({ verb: method, host }, measured.seconds);
      requestSize.observe({ verb: method, host }, measured.requestBytes);
      responseSize.observe({ verb: method, host }, measured.responseBytes);
      total.inc({ code, method, host });
      calls.inc({ verb, resource, code });
    },
    retry: (verb, host, code) => retries.inc({ code, verb, host }),
    throttled: (verb, host, waited) => throttled.observe({ verb, host }, waited),
  };
}
