resource "aws_elb" "web" {
  name            = "web"
  security_groups = ["sg-1"]
  subnets         = ["subnet-1"]
  instances       = ["i-0001"]
  idle_timeout    = 90
  listener {
    lb_port            = 443
    lb_protocol        = "https"
    instance_port      = 8080
    instance_protocol  = "http"
    ssl_certificate_id = "arn:aws:iam::111111111111:server-certificate/web"
  }
  listener {
    lb_port           = 2222
    lb_protocol       = "tcp"
    instance_port     = 22
    instance_protocol = "tcp"
  }
  health_check {
    target              = "HTTP:8081/up"
    interval            = 20
    timeout             = 4
    healthy_threshold   = 5
    unhealthy_threshold = 6
  }
}
resource "aws_elb_attachment" "web2" {
  elb      = aws_elb.web.id
  instance = "i-0002"
}
resource "aws_elb" "fleet" {
  internal = true
  subnets  = ["subnet-2"]
  listener {
    lb_port           = 80
    lb_protocol       = "http"
    instance_port     = 8000
    instance_protocol = "http"
  }
}
resource "aws_autoscaling_attachment" "fleet" {
  elb = aws_elb.fleet.id
}
resource "aws_lb_ssl_negotiation_policy" "web" {
  name          = "modern"
  load_balancer = aws_elb.web.id
  lb_port       = 443
  attribute {
    name  = "Protocol-TLSv1.2"
    value = "true"
  }
}
resource "aws_proxy_protocol_policy" "web" {
  load_balancer  = aws_elb.web.id
  instance_ports = ["22"]
}
