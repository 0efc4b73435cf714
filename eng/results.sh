#!/usr/bin/env bash
# Reads the result files of dotnet test (trx). Sourced by ./test.

# One record per test, "outcome<TAB>name<TAB>message"; the message is on one line. A skip's reason is where a failure has its message.
results() {
  [ -f "$1" ] || return 0
  tr '\r\n' '  ' < "$1" | sed 's/<UnitTestResult /\
&/g' | awk '
    function attribute(name,   found) {
      if (!match($0, " " name "=\"[^\"]*\"")) return ""
      found = substr($0, RSTART, RLENGTH)
      sub("^ " name "=\"", "", found); sub("\"$", "", found)
      return found
    }
    function element(name,   found) {
      if (!match($0, "<" name ">[^<]*</" name ">")) return ""
      return substr($0, RSTART + length(name) + 2, RLENGTH - 2 * length(name) - 5)
    }
    function plain(text) {
      gsub(/&#x[Aa];|&#10;/, " ", text); gsub(/&#x[Dd];|&#13;/, "", text); gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text)
      gsub(/&quot;/, "\"", text); gsub(/&apos;|&#39;/, "\047", text); gsub(/&amp;/, "\\&", text); gsub(/[ \t]+/, " ", text)
      return text
    }
    /^<UnitTestResult / {
      message = element("Message")
      if (message == "") message = element("StdOut")
      print attribute("outcome") "\t" plain(attribute("testName")) "\t" substr(plain(message), 1, 600)
    }'
}

# "passed failed skipped"; whatever is neither passed nor left out has failed.
results_count() {
  results "$1" | awk -F '\t' '
    $1 == "Passed" { passed++; next }
    $1 == "NotExecuted" { skipped++; next }
    { failed++ }
    END { print passed + 0, failed + 0, skipped + 0 }'
}

# results_list FILE OUTCOME PREFIX
results_list() {
  results "$1" | awk -F '\t' -v outcome="$2" -v prefix="$3" '
    $1 == outcome || (outcome == "Failed" && $1 != "Passed" && $1 != "NotExecuted") { print prefix $2 ($3 == "" ? "" : ": " $3) }'
}
