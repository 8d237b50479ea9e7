variable "ports" {
  type    = list(number)
  default = [1]
}

variable "open" {
  default     = true
  description = "Whether everybody may"
}

variable "hosts" {
  type = map(object({ address = string, port = optional(number, 500) }))
}

variable "nobody" {}

locals {
  everybody = var.open ? [] : local.few
  few       = [for name, host in var.hosts : "${host.address}/32" if name != "b" || var.ports[0] == 8080]
  nothing   = 1
}

resource "aws_security_group" "a" {
  dynamic "ingress" {
    for_each = var.ports
    content {
      protocol    = "tcp"
      from_port   = ingress.value
      to_port     = ingress.value
      cidr_blocks = local.everybody
    }
  }
}

resource "aws_security_group_rule" "b" {
  security_group_id = aws_security_group.a.id
  type              = "egress"
  protocol          = "udp"
  from_port         = var.hosts.a.port
  to_port           = var.hosts["b"].port
  cidr_blocks       = local.few
}

output "id" { value = aws_security_group.a.id }
