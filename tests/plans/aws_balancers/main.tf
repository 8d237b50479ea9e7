resource "aws_lb" "web" {
  name               = "web"
  internal           = true
  load_balancer_type = "application"
  security_groups    = ["sg-0a1"]
  subnets            = ["subnet-1", "subnet-2"]
  idle_timeout       = 120
  tags               = { owner = "shop" }
}
resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.web.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate.shop.arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}
resource "aws_acm_certificate" "shop" {
  domain_name = "shop.example"
}
resource "aws_lb_listener_certificate" "api" {
  listener_arn    = aws_lb_listener.https.arn
  certificate_arn = "arn:aws:acm:eu-west-1:111111111111:certificate/api"
}
resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}
resource "aws_lb_listener_rule" "api" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 20
  condition {
    host_header {
      values = ["api.shop.example", "*.api.example"]
    }
  }
  condition {
    path_pattern {
      values = ["/v?/*"]
    }
  }
  action {
    type = "forward"
    forward {
      target_group {
        arn    = aws_lb_target_group.web.arn
        weight = 90
      }
      target_group {
        arn    = aws_lb_target_group.new.arn
        weight = 10
      }
    }
  }
}
resource "aws_lb_listener_rule" "admin" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 10
  condition {
    path_pattern {
      values = ["/admin/*"]
    }
  }
  condition {
    source_ip {
      values = ["192.0.2.0/24"]
    }
  }
  condition {
    http_request_method {
      values = ["GET"]
    }
  }
  condition {
    http_header {
      http_header_name = "X-Team"
      values           = ["Ops"]
    }
  }
  condition {
    query_string {
      key   = "debug"
      value = "1"
    }
  }
  action {
    type = "authenticate-oidc"
    authenticate_oidc {
      issuer                 = "https://login.example"
      authorization_endpoint = "https://login.example/authorize"
      token_endpoint         = "https://login.example/token"
      user_info_endpoint     = "https://login.example/user"
      client_id              = "shop"
      client_secret          = "none"
    }
  }
  action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}
resource "aws_lb_target_group" "web" {
  vpc_id   = "vpc-0a1"
  port     = 8080
  protocol = "HTTP"
  health_check {
    path    = "/up"
    port    = 8081
    matcher = "200-299"
  }
}
resource "aws_lb_target_group" "new" {
  vpc_id      = "vpc-0a1"
  port        = 9000
  protocol    = "HTTP"
  target_type = "ip"
}
resource "aws_lb_target_group_attachment" "web1" {
  target_group_arn = aws_lb_target_group.web.arn
  target_id        = "i-0001"
}
resource "aws_lb_target_group_attachment" "new1" {
  target_group_arn = aws_lb_target_group.new.arn
  target_id        = "10.0.3.7"
  port             = 9001
}
resource "aws_autoscaling_group" "new" {
  target_group_arns    = [aws_lb_target_group.new.arn]
  launch_configuration = "shop"
  min_size             = 1
  max_size             = 2
}
