# The answer of a run task of HCP Terraform, made of the report (`--output json`): what is PATCHed to the
# `task_result_callback_url` of the request. Everything but a pass is a failure.
{
  data: {
    type: "task-results",
    attributes: {
      status: (if .version == 1 and .decision == "pass" then "passed" else "failed" end),
      message: "\(.decision): \(.findings | length) findings, \(.doubts | length) not answered, \(.gaps | length) gaps"
    }
  }
}
