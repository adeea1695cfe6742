// The process: hands the command line over and ends with the exit code it gives.
import { basename } from "node:path";
import { main } from "./cli/program.ts";

// A reader that has enough (`| head`) ends the process quietly, as it does with any other command.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

const [, path = "", ...args] = process.argv;
process.exitCode = await main({ invokedAs: basename(path), args });
