# One resource, several instances.
resource "aws_security_group" "web" {
  count = 2
  name  = "web-${count.index}"

  ingress {
    protocol    = "tcp"
    from_port   = 8000 + count.index
    to_port     = 8001
    cidr_blocks = ["10.0.${count.index}.0/24"]
  }
}

resource "aws_security_group_rule" "ssh" {
  for_each          = { office = "192.0.2.0/24", home   = "198.51.100.7/32" }
  security_group_id = aws_security_group.web[0].id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_blocks       = [each.value]
  description       = each.key
}

resource "aws_security_group_rule" "ports" {
  for_each                 = toset(["443", "80"])
  security_group_id        = aws_security_group.web[1].id
  type                     = "egress"
  protocol                 = "tcp"
  from_port                = each.value
  to_port                  = each.key
  source_security_group_id = aws_security_group.web[0].id
}

resource "aws_security_group" "never" {
  count = 0
}
