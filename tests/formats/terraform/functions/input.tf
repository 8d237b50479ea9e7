locals {
  net     = "10.20.0.0/16"
  subnets = { for n, name in ["a", "b"] : name => cidrsubnet(local.net, 8, n + 1) }
  ports   = { tcp = [80, 443], udp = [53] }
  pairs   = setproduct(keys(local.subnets), [for kind, ports in local.ports : "${kind}:${join("-", ports)}"])
}

resource "aws_security_group" "a" {
  name = format("%s-%02d", upper("web"), length(local.pairs))

  ingress {
    protocol    = "tcp"
    from_port   = min(local.ports.tcp...)
    to_port     = max(local.ports["tcp"]...)
    cidr_blocks = [for net in values(local.subnets) : replace(net, "/24", "/25")]
  }

  egress {
    protocol    = lookup({ a = "udp" }, "b", "tcp")
    from_port   = try(local.ports.sctp, 22)
    to_port     = coalesce(null, 23)
    cidr_blocks = [for host in [1, -2] : "${cidrhost(local.subnets.a, host)}/32"]
  }

  egress {
    protocol    = split(":", local.pairs[0][1])[0]
    from_port   = local.ports["udp"].0
    to_port     = one([71])
    cidr_blocks = reverse(concat(["192.0.2.1/32"], ["192.0.2.9/32"]))
  }
}
