// The process: hands the command line over and ends with the exit code it gives.
import { basename } from "node:path";
import { main } from "./cli/program.ts";

const [, path = "", ...args] = process.argv;
process.exitCode = await main({ invokedAs: basename(path), args });
