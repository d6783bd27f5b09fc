// Prints the Khronos validator's report on each file given, as one JSON array of {file, errors, messages}.
const fs = require("fs");
const path = require("path");
const validator = require(path.join(process.argv[2], "gltf-validator"));

(async () => {
  const reports = [];
  for (const file of process.argv.slice(3)) {
    const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)), { maxIssues: 20, format: "glb" });
    const messages = report.issues.messages.filter((message) => message.severity === 0);
    reports.push({ file, errors: report.issues.numErrors, messages });
  }
  process.stdout.write(JSON.stringify(reports));
})();
