#!/bin/sh
# Tells Drover of every pushed reference. Made by `drover repo hook --post-receive`; keep it readable by its owner only.
# It needs perl and curl. What is secret goes to them by environment and standard input, never by an argument list that
# others can read. It gives up after a minute, and a tenth of a second for each reference, and never fails a push.
DROVER_HOOK_URL='@URL@' DROVER_HOOK_SECRET='@SECRET@' perl -e '
  use strict;
  use Digest::SHA "hmac_sha256_hex";
  use IPC::Open2;
  my ($url, $secret) = delete @ENV{"DROVER_HOOK_URL", "DROVER_HOOK_SECRET"};
  # JSON and the configuration of curl quote alike.
  sub quoted { my $text = shift; $text =~ s/(["\\])/\\$1/g; "\"$text\"" }
  my ($config, @names) = ("");
  while (my $line = <STDIN>) {
    chomp $line;
    my ($old, $new, $name) = split / /, $line, 3;
    my $body = "{\"ref\":" . quoted($name) . ",\"before\":\"$old\",\"after\":\"$new\"}";
    $config .= "next\n" if @names;
    for (
      [ "url", $url ], [ "max-time", 10 ], [ "connect-timeout", 5 ], [ "output", "/dev/null" ],
      [ "header", "Content-Type: application/json" ],
      [ "header", "X-Drover-Delivery: " . join("-", time, $$, scalar @names) ],
      [ "header", "X-Drover-Signature-256: sha256=" . hmac_sha256_hex($body, $secret) ],
      [ "data-binary", $body ], [ "write-out", "%{http_code} %{errormsg}\\n" ],
    ) {
      $config .= "$_->[0] = " . quoted($_->[1]) . "\n";
    }
    push @names, $name;
  }
  exit unless @names;
  $SIG{PIPE} = "IGNORE";
  my $curl = open2(my $from, my $to, "curl", "-q", "-s", "-K", "-");
  $SIG{ALRM} = sub { kill "TERM", $curl };
  alarm 60 + @names / 10;
  print $to $config;
  close $to;
  my @answers = <$from>;
  my @lost = grep { ($answers[$_] || "") !~ /^2/ } 0 .. $#names;
  exit unless @lost;
  my ($count, $answer) = (scalar @lost, $answers[$lost[0]] || "no answer\n");
  splice @lost, 3 if @lost > 3;
  print STDERR "drover: $count of " . @names . " references were not announced (is the coordinator up?): "
    . join(", ", map { $names[$_] } @lost) . ($count > 3 ? ", ..." : "") . ": $answer";
'
exit 0
