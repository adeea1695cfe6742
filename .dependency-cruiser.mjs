// The layers of docs/architecture.md: an import may only point down. test/unit/layers.test.ts feeds this
// configuration a forbidden import, so that it can never pass by seeing nothing.
import visitorModule from "@swc/core/Visitor.js";

// swc's visitor, through which dependency-cruiser reads TypeScript, does not know `using` declarations and gives up.
const { Visitor } = visitorModule;
const { visitStatement } = Visitor.prototype;
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== "UsingDeclaration") return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};

const below = (name, from, to, comment) => ({ name, comment, severity: "error", from, to });

export default {
  forbidden: [
    below(
      "api-imports-nothing-of-ours",
      { path: "^api/" },
      { path: "^(controllers|src|tools|test)/" },
      "api/ is the bottom layer",
    ),
    below(
      "kube-knows-nothing-of-ray",
      { path: "^src/kube/" },
      { path: "^(api|controllers|tools|test)/|^src/(?!kube/)" },
      "src/kube is a generic runtime",
    ),
    below(
      "ray-clients-below-controllers",
      { path: "^src/ray/" },
      { path: "^(controllers|tools|test)/|^src/(?!kube/|ray/)" },
      "src/ray may use api and src/kube only",
    ),
    below(
      "controllers-below-front-doors",
      { path: "^controllers/" },
      { path: "^(tools|test)/|^src/(?!kube/|ray/)" },
      "controllers may use api, src/kube and src/ray only",
    ),
    below(
      "front-doors-below-cli",
      { path: "^src/(webhook|apiserver)/" },
      { path: "^(src/(cli|local|main)|tools|test)" },
      "front doors do not know the command line",
    ),
    below(
      "local-below-cli",
      { path: "^src/local/" },
      { path: "^(src/(cli|main|webhook|apiserver)|tools|test)" },
      "src/local does not know the command line",
    ),
    below(
      "nothing-imports-tests-or-tools",
      { path: "^(api|controllers|src)/" },
      { path: "^(test|tools)/" },
      "the product does not import its tests or tools",
    ),
    {
      name: "decisions-do-no-io",
      comment: "api/, decide, status, objects and shared builders are pure: types and pure helpers only",
      severity: "error",
      from: { path: "^(api/|controllers/shared/|controllers/[^/]+/(objects/|rules/|decide|status|observed|views))" },
      to: {
        path: "^(src/kube/(?!(decision|types)\\.ts)|src/ray/)|^(node:)?(fs|net|http|https|http2|child_process|dns|tls|timers)(/|$)|node_modules/undici",
      },
    },
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
  ],
  options: { parser: "swc", doNotFollow: { path: "node_modules" }, exclude: { path: "(^|/)(dist|generated)/" } },
};
