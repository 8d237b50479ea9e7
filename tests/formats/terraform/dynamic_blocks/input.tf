locals {
  rules = [
    { port = 53, from = ["10.0.0.0/8"], kinds = ["tcp", "udp"] },
    { port = 123, from = ["192.0.2.1/32"], kinds = ["udp"] },
  ]
}

resource "aws_security_group" "names" {
  dynamic "ingress" {
    for_each = flatten([for rule in local.rules : [for kind in rule.kinds : merge(rule, { kind = kind })]])
    iterator = one
    content {
      protocol    = one.value.kind
      from_port   = one.value.port
      to_port     = one.value.port + one.key
      cidr_blocks = one.value.from
    }
  }

  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["198.51.100.9/32"]
  }

  dynamic "egress" {
    for_each = []
    content {
      protocol = "icmp"
    }
  }
}
